"""jaxae release: copies of a run what others need to evaluate it and to draw from it."""

import shutil
from pathlib import Path

import tyro

from jaxae.cli.messages import say
from jaxae.inference import load
from jaxae.runs import checkpoint, files
from jaxae.runs.directory import RESULTS

COPIED = ("config.json", "environment.json", "metrics.jsonl", *RESULTS)


def main(run: tyro.conf.Positional[Path], destination: tyro.conf.Positional[Path]) -> None:
    """Copies what others need of a run to evaluate and draw: the best variables and all that a person can read.

    Example: jaxae release checkpoints/default checkpoints/mine

    Args:
        run: Run directory, as jaxae train writes it.
        destination: Directory to write; it must not exist.
    """
    loaded = load(run)
    with files.file_errors(destination):
        destination.mkdir(parents=True)
        for name in COPIED:
            if (run / name).is_file():
                shutil.copy(run / name, destination)
        if (run / "figures").is_dir():
            shutil.copytree(run / "figures", destination / "figures")
        checkpoint.release(run, destination, loaded.variables)
    say(f"Wrote {destination}")
