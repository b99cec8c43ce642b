"""jaxae score: the latent scorecard of a run's best checkpoint."""

from typing import Any

from jaxae.cli.command import Source
from jaxae.cli.evaluate import measure_members
from jaxae.data.dataset import Dataset
from jaxae.evaluation.latent_scorecard import PCA, score_latent, table
from jaxae.inference import Run


def main(source: Source) -> None:
    """Scores how much the latent space keeps of the test images, beside PCA and published results.

    Writes RUN/latent_scorecard.json. Under a minute.

    Example: jaxae score checkpoints/released
    """
    before: dict[str, Any] = {}  # the rows of the last member: PCA's is the same for all

    def score(run: Run, dataset: Dataset) -> dict[str, Any]:
        scores = score_latent(run, dataset, pca=before.get(PCA))
        before.update(scores["rows"])
        return scores

    measure_members(source, "latent_scorecard.json", score, table=table)
