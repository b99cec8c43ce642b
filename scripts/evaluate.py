"""Metrics of a run's best checkpoint on the test images → RUN/evaluation.json and a table."""

from typing import Any

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, options
from jaxae.cli.measure import measure
from jaxae.evaluation import reconstruction
from jaxae.evaluation.reconstruction import evaluate, table


def main(source: options.Source, noise_factor: float = 0.25) -> None:
    """Evaluates the best checkpoint of a run, or of each member, on all test images → RUN/evaluation.json and a table.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
    """

    def show(evaluation: dict[str, Any]) -> str:
        return f"{table(evaluation)}\n\n{reconstruction.class_table(evaluation['classes'])}"

    def work(run, dataset) -> dict[str, Any]:
        by_class = reconstruction.by_class(run, dataset, noise_factor=noise_factor)
        return {**evaluate(run, dataset, noise_factor=noise_factor), "classes": by_class}

    measure(source, "evaluation.json", work, table=show)


if __name__ == "__main__":
    command.run(main)
