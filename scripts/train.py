"""Trains a denoising autoencoder, or several at once, or resumes what the run directory already holds."""

from pathlib import Path

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.config import Config
from jaxae.runs import population_directory
from jaxae.runs.directory import run_directory
from jaxae.train import loop, multihost, population


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
    with multihost.raised_together():
        dataset, config = place.settle(config)
        recipes = population.recipes(config, seeds=many.seeds, sweep=many.sweep)
    multihost.check_agreement(recipe=[recipe.to_json() for recipe in recipes])
    with multihost.raised_together():
        directory, names = run_directory(run_dir, config), population.labels(recipes)
        directories = population_directory.member_directories(directory, names, overwrite=overwrite, write=multihost.is_first())
    with messages.synthetic_banner(config):
        loop.fit_members(recipes, dataset, directories, devices=many.devices, overwrite=overwrite, report=messages.say)
    print(directory)


if __name__ == "__main__":
    command.run(main, config=options.preset())
