"""Copies of a run what others need to evaluate and draw: the best variables and all that a person can read."""

import shutil
from pathlib import Path

import tyro

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages
from jaxae.inference import load_run
from jaxae.runs import checkpoint, directory, files

FILES = ("config.json", "environment.json", "metrics.jsonl", *directory.RESULTS)


def main(run: tyro.conf.Positional[Path], destination: tyro.conf.Positional[Path]) -> None:
    """Copies what others need of a run to evaluate and draw: the best variables and all that a person can read.

    Args:
        run: Run directory, as written by train.py.
        destination: Directory to write; it must not exist.
    """
    loaded = load_run(run)
    with files.file_errors(destination):
        destination.mkdir(parents=True)
        for name in FILES:
            if (run / name).is_file():
                shutil.copy(run / name, destination)
        if (run / "figures").is_dir():
            shutil.copytree(run / "figures", destination / "figures")
        checkpoint.release(run, destination, loaded.variables)
    messages.say(f"Wrote {destination}")


if __name__ == "__main__":
    command.run(main)
