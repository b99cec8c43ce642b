"""jaxae evaluate: the metrics of a run's best checkpoint on the test images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from jaxae.cli.messages import say
from jaxae.cli.options import Source, try_to_save
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import LABELS, evaluate, table
from jaxae.evaluation.records import Evaluation, Scorecard, Spread
from jaxae.evaluation.tables import spread, spread_table
from jaxae.inference import Run
from jaxae.runs.checkpoint import epochs
from jaxae.train.population import labels, varying

Result = TypeVar("Result", Evaluation, Scorecard)


class Members(NamedTuple):
    """The members of a population, or the one run, and their data."""

    runs: dict[Path, Run]
    """By run directory."""
    dataset: Dataset


def main(source: Source, *, noise_factor: float = 0.25, figures: bool = False) -> None:
    """Measures MSE, MAE, PSNR and SSIM on all test images, and by class.

    Writes RUN/evaluation.json. Every member of a population is measured, and the mean and standard
    deviation over its seeds are printed. The table is printed also where nothing can be written.

    Example: jaxae evaluate checkpoints/released

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
        figures: Then draw the figures of jaxae plot all, in the same process.
    """
    if figures and len(source.directories) > 1:
        raise InputError(
            f"--figures is given for {source.run}, a population: choose one of it with --member"
        )

    members = load_members(source)
    results = []
    refused: list[InputError] = []
    for directory, run in members.runs.items():
        result = evaluate(run, members.dataset, noise_factor=noise_factor)
        refused += try_to_save(directory / "evaluation.json", result)
        results.append(result)

    summary = print_results(members, results, table, row_labels=LABELS)
    if summary:
        refused += try_to_save(source.run / "evaluation.json", summary)
    if refused:
        raise refused[0]

    if figures:
        from jaxae.cli import plot  # here, not above: Matplotlib takes 0.3 s

        plot.all_figures(source)


def load_members(source: Source) -> Members:
    """Load every member that has a checkpoint, and the data they share. Raises InputError."""
    directories = [path for path in source.directories if epochs(path)] or source.directories[:1]
    for path in source.directories:
        if path not in directories:
            say(f"{path} has no checkpoint, because its loss was never finite: it is left out")

    runs = {directory: source.load(directory) for directory in directories}
    first = next(iter(runs.values()))

    return Members(runs, source.dataset(first.config))


def print_results(
    members: Members,
    results: Sequence[Result],
    table: Callable[[Result], str],
    *,
    row_labels: Mapping[str, str],
) -> Spread | None:
    """Print a table of each member or, if they differ in their seeds alone, of their spread.

    Returns the spread if it was printed. row_labels: the names of the results' rows.
    """
    configs = [run.config for run in members.runs.values()]
    if len(results) == 1:
        print(table(results[0]))
        return None

    if varying(configs):  # the members of a sweep are no repetitions of one another
        for label, result in zip(labels(configs), results, strict=True):
            print(f"== {label}", table(result), sep="\n")
        return None

    summary = spread(results)
    print(spread_table(summary, row_labels))
    return summary
