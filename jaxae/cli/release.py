"""jaxae release: copies what others need of a run to evaluate it and to draw from it."""

import shutil
from pathlib import Path

import tyro

from jaxae.cli.messages import say
from jaxae.errors import InputError, expand
from jaxae.inference import load
from jaxae.runs import checkpoint, files
from jaxae.runs.population import members
from jaxae.temporary import replacing

COPIED = ("config.json", "environment.json", "metrics.jsonl")


def main(run: tyro.conf.Positional[Path], destination: tyro.conf.Positional[Path]) -> None:
    """Copies what was trained: the variables of the best epoch, the recipe, the log, the versions.

    The copy can be evaluated and drawn from, but not trained on. Results and figures are not
    copied: the commands that made them make them again.

    Example: jaxae release checkpoints/default checkpoints/mine

    Args:
        run: Run directory, as jaxae train writes it.
        destination: Directory to write; it must not exist.
    """
    if len(members(run)) > 1:
        member = run / "members" / "0"
        raise InputError(f"{run} is a population: release one of its runs, such as {member}")

    destination = expand(destination)
    if destination.exists():
        raise InputError(
            f"{destination} can't be used (File exists): name a directory that does not exist yet"
        )

    variables = load(run).variables
    with files.file_errors(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with replacing(destination) as unfinished:
            unfinished.mkdir()
            for name in COPIED:
                if (run / name).is_file():
                    shutil.copy(run / name, unfinished)
            checkpoint.release(run, unfinished, variables)

    say(f"Wrote {destination}")
