"""jaxae score: the latent scorecard of a run's best checkpoint."""

from jaxae.cli.evaluate import load_members, print_results
from jaxae.cli.options import Source, try_to_save
from jaxae.errors import InputError
from jaxae.evaluation.latent_scorecard import LABELS, score_latent, table
from jaxae.evaluation.records import Scorecard


def main(source: Source) -> None:
    """Scores how much the latent space keeps of the test images, next to PCA and published results.

    Writes RUN/latent_scorecard.json. Under a minute.

    Example: jaxae score checkpoints/released

    Args:
        source: The run and its data.
    """
    members = load_members(source)
    results: list[Scorecard] = []
    refused: list[InputError] = []
    for directory, run in members.runs.items():
        pca = results[0].pca if results else None  # the same for all members
        result = score_latent(run, members.dataset, pca=pca)
        refused += try_to_save(directory / "latent_scorecard.json", result)
        results.append(result)

    summary = print_results(members, results, table, row_labels=LABELS)
    if summary:
        refused += try_to_save(source.run / "latent_scorecard.json", summary)
    if refused:
        raise refused[0]
