"""Tables for people: Markdown that is aligned on the screen too."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of these columns and cells; the first column to the left, the others to the right."""
    lines = [[str(cell) for cell in line] for line in (columns, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join([cells[0].ljust(widths[0]), *padded[1:]])} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([line(lines[0]), f"|{rule}|", *map(line, lines[1:])])


def decibels(value: float | None) -> str:
    """A PSNR for a cell; None stands for an infinite one."""
    return "inf dB" if value is None else f"{value:.2f} dB"


def spread(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation over members of every number in the results' rows."""
    first = results[0]
    rows = {
        name: {
            metric: {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
            for metric in row
            if None not in (values := [result["rows"][name][metric] for result in results])
        }
        for name, row in first["rows"].items()
    }
    return {"data": first["data"], "split": first["split"], "members": len(results), "rows": rows}


def spread_table(summary: dict[str, Any]) -> str:
    """A spread for a person, in Markdown."""
    rows = summary["rows"]
    metrics = list(next(iter(rows.values())))
    title = f"{summary['data']}, {summary['split']}: mean ± standard deviation over {summary['members']} members"

    def cell(row: dict[str, Any], metric: str) -> str:
        return f"{row[metric]['mean']:.5f} ± {row[metric]['std']:.5f}" if metric in row else ""

    table = markdown(
        ["", *rows], [[metric, *(cell(row, metric) for row in rows.values())] for metric in metrics]
    )
    return f"{title}\n\n{table}"
