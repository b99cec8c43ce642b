"""The latent scorecard of a run's best checkpoint on the test images → RUN/latent_scorecard.json and a table."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, options
from jaxae.cli.measure import measure
from jaxae.evaluation.latent_scorecard import score_latent, table


def main(source: options.Source) -> None:
    """Scores the latent space of a run's best checkpoint, or of each member's → RUN/latent_scorecard.json and a table."""
    measure(source, "latent_scorecard.json", score_latent, table=table)


if __name__ == "__main__":
    command.run(main)
