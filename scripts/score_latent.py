"""The latent scorecard of a run's best checkpoint on the test images → RUN/latent_scorecard.json and a table."""

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli, options
from jaxae.latent import score_latent, table
from jaxae.measure import measure


def main(source: options.Source) -> None:
    """Scores the latent space of a run's best checkpoint, or of each member's → RUN/latent_scorecard.json and a table."""
    measure(source, "latent_scorecard.json", score_latent, table=table)


if __name__ == "__main__":
    cli.run(main)
