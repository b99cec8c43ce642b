"""jaxae evaluate: the metrics of a run's best checkpoint on the test images."""

from collections.abc import Callable
from typing import Any

from jaxae.cli.command import Source
from jaxae.cli.messages import say
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import evaluate, table
from jaxae.evaluation.tables import spread, spread_table
from jaxae.inference import Run
from jaxae.runs import files
from jaxae.runs.checkpoint import epochs
from jaxae.train.population import labels, varying


def main(source: Source, *, noise_factor: float = 0.25, figures: bool = False) -> None:
    """Measures MSE, MAE, PSNR and SSIM on all test images, and by class, and writes RUN/evaluation.json.

    Of a population every member is measured, and the mean and standard deviation over seeds are printed.

    Example: jaxae evaluate checkpoints/released

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
        figures: Then draw what jaxae plot all draws, in the same process.
    """
    if figures and len(source.directories) > 1:
        raise InputError(
            f"--figures is given for {source.run}, a population: choose one of it with --member"
        )

    def work(run: Run, dataset: Dataset) -> dict[str, Any]:
        return evaluate(run, dataset, noise_factor=noise_factor)

    measure_members(source, "evaluation.json", work, table=table)
    if figures:
        from jaxae.cli import plot  # here, not above: Matplotlib takes 0.3 s

        plot.all_figures(source)


def measure_members(
    source: Source,
    name: str,
    work: Callable[[Run, Dataset], dict[str, Any]],
    *,
    table: Callable[[dict[str, Any]], str],
) -> None:
    """Writes work(run, dataset) to NAME in each run directory, and the spread over seeds to NAME in the population's.

    A member without a checkpoint, whose loss was never finite, is left out, and says so. Raises InputError.
    """
    directories = [path for path in source.directories if epochs(path)] or source.directories[:1]
    for path in source.directories:
        if path not in directories:
            say(f"{path} has no checkpoint: it is left out")
    runs = {directory: source.load(directory) for directory in directories}
    configs = [run.config for run in runs.values()]
    dataset = source.dataset(configs[0])  # members share their data
    results: list[dict[str, Any]] = []
    for directory, run in runs.items():
        results.append(work(run, dataset))
        say(files.write_result(directory / name, results[-1]))
    if len(results) == 1 or varying(configs):  # a sweep's members are no repetitions of one another
        for label, result in zip(labels(configs), results, strict=True):
            print(*([f"== {label}"] if len(results) > 1 else []), table(result), sep="\n")
        return
    summary = spread(results)
    print(spread_table(summary))
    say(files.write_result(source.run / name, summary))
