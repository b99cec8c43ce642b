"""Trains a denoising autoencoder, or several at once, or resumes what the run directory already holds."""

from pathlib import Path

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli, members, options, population, processes, rundir, train
from jaxae.config import Config


def main(
    config: Config,
    many: options.Many,
    place: options.DataPlace,
    together: options.Together,
    preset: options.Preset = "default",
    run_dir: Path = Path("checkpoints/default"),
    overwrite: bool = False,
) -> None:
    """Trains, or resumes. Progress goes to stderr; stdout gets the run directory's path.

    Args:
        preset: Which recipe the other options change: the given procedure, or the best within what that leaves open.
        run_dir: Where the run is kept.
        overwrite: Delete the run in the run directory and start afresh.
    """
    together.join()
    with processes.raised_together():
        dataset, config = place.settle(config)
        recipes = population.recipes(config, seeds=many.seeds, sweep=many.sweep)
    processes.check_agreement(recipe=[recipe.to_json() for recipe in recipes])
    with processes.raised_together():
        directory, names = rundir.run_directory(run_dir, config), population.labels(recipes)
        directories = members.member_directories(directory, names, overwrite=overwrite, write=processes.is_first())
    with cli.synthetic_banner(config):
        train.fit_members(recipes, dataset, directories, devices=many.devices, overwrite=overwrite, report=cli.say)
    print(directory)


if __name__ == "__main__":
    cli.run(main, config=options.preset())
