"""Tables for people: Markdown that is aligned on the screen too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from jaxae.evaluation.records import Evaluation, MeanStd, Scorecard, Spread


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with the first column aligned left, and the others right."""
    lines = [[_cell(cell) for cell in line] for line in (columns, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        others = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join([first, *others])} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])

    return "\n".join([line(lines[0]), f"|{rule}|", *map(line, lines[1:])])


def _cell(text: object) -> str:
    """Return a text for a cell, which a line break or | of a name would end."""
    return " ".join(str(text).split("\n")).replace("|", "\\|")


def decibels(value: float | None) -> str:
    """Return a PSNR for a cell. None is an infinite one."""
    return "inf dB" if value is None else f"{value:.2f} dB"


def spread(results: Sequence[Evaluation] | Sequence[Scorecard]) -> Spread:
    """Return mean and sample standard deviation of every number over two members or more.

    A number that a member does not have is left out.
    """
    members = [{name: asdict(row) for name, row in each.rows().items()} for each in results]
    about = results[0].about

    rows: dict[str, dict[str, MeanStd]] = {}
    for name, row in members[0].items():
        rows[name] = {}
        for metric in row:
            values = [member[name][metric] for member in members]
            if None not in values:
                mean = float(np.mean(values))
                rows[name][metric] = MeanStd(mean=mean, std=float(np.std(values, ddof=1)))

    return Spread(data=about.data, split=about.split, members=len(results), rows=rows)


def spread_table(spread: Spread, labels: Mapping[str, str]) -> str:
    """Return a spread as Markdown, with a line for each metric and a column for each row.

    labels: the names of its rows.
    """
    metrics = list(next(iter(spread.rows.values())))
    title = (
        f"{spread.data}, {spread.split}: mean ± standard deviation over {spread.members} members"
    )

    lines = []
    for metric in metrics:
        values = [row.get(metric) for row in spread.rows.values()]
        cells = ["" if each is None else f"{each.mean:.5f} ± {each.std:.5f}" for each in values]
        lines.append([metric, *cells])

    return f"{title}\n\n{markdown(['', *(labels[name] for name in spread.rows)], lines)}"
