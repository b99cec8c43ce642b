"""The latent scorecard of a run's best checkpoint on the test images → RUN/latent_scorecard.json and a table."""

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli, rundir
from jaxae.evaluate import load_run
from jaxae.latent import score_latent, table


def main(source: cli.Source) -> None:
    """Scores the latent space of a run's best checkpoint on the test images → RUN/latent_scorecard.json and a table."""
    run = load_run(source.run)
    scores = score_latent(run, source.dataset(run.config))
    print(table(scores))
    rundir.write_json(source.run / "latent_scorecard.json", scores)
    cli.say(f"Wrote {source.run / 'latent_scorecard.json'}")


if __name__ == "__main__":
    cli.run(main)
