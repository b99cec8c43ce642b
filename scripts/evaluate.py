"""Metrics of a run's best checkpoint on the test images → RUN/evaluation.json and a table."""

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import classes, cli, rundir
from jaxae.evaluate import evaluate, load_run, table


def main(source: cli.Source, noise_factor: float = 0.25) -> None:
    """Evaluates the best checkpoint of a run on all test images → RUN/evaluation.json and a table.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
    """
    run = load_run(source.run)
    dataset = source.dataset(run.config)
    evaluation = evaluate(run, dataset, noise_factor=noise_factor)
    evaluation["classes"] = classes.by_class(run, dataset, noise_factor=noise_factor)
    print(table(evaluation), classes.table(evaluation["classes"]), sep="\n\n")
    rundir.write_json(source.run / "evaluation.json", evaluation)
    cli.say(f"Wrote {source.run / 'evaluation.json'}")


if __name__ == "__main__":
    cli.run(main)
