"""Trains a denoising autoencoder, or several at once, or resumes what the run directory already holds."""

from dataclasses import replace
from pathlib import Path

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli, options, population
from jaxae.config import Config
from jaxae.members import member_directories
from jaxae.rundir import run_directory
from jaxae.train import fit_members


def main(
    config: Config,
    many: options.Many,
    place: options.DataPlace,
    preset: options.Preset = "default",
    run_dir: Path = Path("checkpoints/default"),
    overwrite: bool = False,
) -> None:
    """Trains, or resumes what the run directory holds. Progress goes to stderr; stdout gets the run directory's path.

    Args:
        preset: Which recipe the other options change: the given procedure, or the best within what that leaves open.
        run_dir: Where the run is kept.
        overwrite: Delete the run in the run directory and start afresh.
    """
    dataset = place.dataset(config)
    config = replace(config, dataset=dataset.name)  # what auto has found is part of the recipe
    recipes = population.recipes(config, seeds=many.seeds, sweep=many.sweep)
    directory = run_directory(run_dir, config)
    directories = member_directories(directory, population.labels(recipes), overwrite=overwrite)
    with cli.synthetic_banner(config):
        fit_members(recipes, dataset, directories, devices=many.devices, overwrite=overwrite, report=cli.say)
    print(directory)


if __name__ == "__main__":
    cli.run(main, config=options.preset())
