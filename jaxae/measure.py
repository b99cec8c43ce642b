"""Measures a run, or every member of a population, and prints a table of it, or of means and standard deviations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxae import rundir
from jaxae.checkpoint import epochs
from jaxae.cli import say
from jaxae.data import Dataset
from jaxae.evaluate import Run, load_run
from jaxae.options import Source
from jaxae.population import labels, varying


def measure(
    source: Source, name: str, work: Callable[[Run, Dataset], dict[str, Any]], *, table: Callable[[dict[str, Any]], str]
) -> None:
    """Writes work(run, dataset) to NAME in each run directory, and the spread over seeds to NAME in the population's.

    A member without a checkpoint, whose loss was never finite, is left out, and says so. Raises InputError.
    """
    directories = [path for path in source.directories if epochs(path)] or source.directories[:1]
    for path in source.directories:
        if path not in directories:
            say(f"{path} has no checkpoint: it is left out")
    runs = {directory: load_run(directory) for directory in directories}
    configs = [run.config for run in runs.values()]
    dataset = source.dataset(configs[0])  # members share their data
    results: list[dict[str, Any]] = []
    for directory, run in runs.items():
        results.append(work(run, dataset))
        rundir.write_json(directory / name, results[-1])
        say(f"Wrote {directory / name}")
    if len(results) == 1 or varying(configs):  # a sweep's members are no repetitions of one another
        for label, result in zip(labels(configs), results, strict=True):
            print(*([f"== {label}"] if len(results) > 1 else []), table(result), sep="\n")
        return
    summary = spread(results)
    print(spread_table(summary))
    rundir.write_json(source.run / name, summary)
    say(f"Wrote {source.run / name}")


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
    lines = [f"{summary['data']}, {summary['split']}: mean ± standard deviation over {summary['members']} members", ""]
    lines += ["| | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for metric in metrics:
        cells = [f"{row[metric]['mean']:.5f} ± {row[metric]['std']:.5f}" if metric in row else "" for row in rows.values()]
        lines.append(f"| {metric} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
