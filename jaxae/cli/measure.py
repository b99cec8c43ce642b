"""Measures a run, or every member of a population, and prints a table of it, or of means and standard deviations."""

from collections.abc import Callable
from typing import Any

from jaxae.cli.messages import say
from jaxae.cli.options import Source
from jaxae.data.dataset import Dataset
from jaxae.evaluation.seeds import spread, spread_table
from jaxae.inference import Run, load_run
from jaxae.runs import files
from jaxae.runs.checkpoint import epochs
from jaxae.train.population import labels, varying


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
        files.write_json(directory / name, results[-1])
        say(f"Wrote {directory / name}")
    if len(results) == 1 or varying(configs):  # a sweep's members are no repetitions of one another
        for label, result in zip(labels(configs), results, strict=True):
            print(*([f"== {label}"] if len(results) > 1 else []), table(result), sep="\n")
        return
    summary = spread(results)
    print(spread_table(summary))
    files.write_json(source.run / name, summary)
    say(f"Wrote {source.run / name}")
