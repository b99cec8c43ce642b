"""jaxae score: the latent scorecard of a run's best checkpoint."""

from jaxae.cli.evaluate import measure_members
from jaxae.cli.options import Source
from jaxae.evaluation.latent_scorecard import score_latent, table


def main(source: Source) -> None:
    """Scores how much the latent space keeps of the test images, beside PCA and published results.

    Writes RUN/latent_scorecard.json. Under a minute.

    Example: jaxae score checkpoints/released
    """
    measure_members(source, "latent_scorecard.json", score_latent, table=table)
