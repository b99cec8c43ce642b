"""Trains a denoising autoencoder, or resumes what the run directory already holds."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli
from jaxae.config import PRESETS, Config
from jaxae.data import load
from jaxae.rundir import run_directory
from jaxae.train import fit


def main(
    config: Config,
    preset: Literal["default", "best"] = "default",
    run_dir: Path = Path("checkpoints/default"),
    overwrite: bool = False,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
) -> None:
    """Trains, or resumes what the run directory holds; prints the directory's path.

    Args:
        config: The recipe.
        preset: Which recipe the other options change: the given procedure, or the best within what that leaves open.
        run_dir: Where the run is kept.
        overwrite: Delete the run in the run directory and start afresh.
        data_dir: Folder of the decoded data; by default $TFDS_DATA_DIR or ~/tensorflow_datasets.
        manual_dir: Folder with the four official .gz files; by default $JAXAE_MANUAL_DIR.
    """
    if changes := PRESETS[preset].differences(Config()):
        cli.say(f"--preset {preset} has {'; '.join(changes)}")
    dataset = load(config.dataset, data_dir=data_dir, manual_dir=manual_dir, report=cli.say)
    config = replace(config, dataset=dataset.name)  # what auto has found is part of the recipe
    directory = run_directory(run_dir, config)
    with cli.synthetic_banner(config):
        fit(config, dataset, directory, overwrite=overwrite, report=cli.say)
    print(directory)


if __name__ == "__main__":
    cli.run(main, config=cli.preset())
