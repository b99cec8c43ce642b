"""jaxae release: copies of a run what others need to evaluate it and to draw from it."""

import shutil
from pathlib import Path

import tyro

from jaxae.cli.messages import say
from jaxae.errors import InputError, expand
from jaxae.evaluation import records
from jaxae.inference import Run, load
from jaxae.runs import checkpoint, files
from jaxae.runs.checkpoint import release
from jaxae.runs.directory import RESULTS, members
from jaxae.runs.manifest import NAME, read_manifest
from jaxae.temporary import replacing

COPIED = ("config.json", "environment.json", "metrics.jsonl", *RESULTS)


def main(run: tyro.conf.Positional[Path], destination: tyro.conf.Positional[Path]) -> None:
    """Copies what others need of a run to evaluate and draw: the best variables and all that a person can read.

    Example: jaxae release checkpoints/default checkpoints/mine

    Args:
        run: Run directory, as jaxae train writes it.
        destination: Directory to write; it must not exist.
    """
    if len(members(run)) > 1:
        raise InputError(
            f"{run} is a population: release one of its runs, such as {run / 'members' / '0'}"
        )
    destination = expand(destination)
    if destination.exists():
        raise InputError(
            f"{destination} can't be used (File exists): name a directory that does not exist yet"
        )
    loaded = load(run)
    _check_results(run, loaded)
    with files.file_errors(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with replacing(destination) as unfinished:
            unfinished.mkdir()
            for name in COPIED:
                if (run / name).is_file():
                    shutil.copy(run / name, unfinished)
            if (run / "figures").is_dir():
                shutil.copytree(run / "figures", unfinished / "figures")
            release(run, unfinished, loaded.variables)
    say(f"Wrote {destination}")


def _check_results(run: Path, loaded: Run) -> None:
    """Raises InputError where a result or a figure is not of the epoch that would be released."""
    for name, kind in records.FILES.items():
        record = records.read_record(run / name, kind)
        if record is not None and record.about.checkpoint_epoch != loaded.epoch:
            raise InputError(
                f"{run / name} is not of epoch {loaded.epoch}: make it again, or delete it"
            )
    saved = run / checkpoint.FOLDER / str(loaded.epoch)
    if (
        "training" in read_manifest(saved).leaves
    ):  # of a released run, which was copied, the times tell nothing
        for figure in (run / "figures").glob("*.png"):
            if (
                figure.stat().st_mtime < (saved / NAME).stat().st_mtime
                and figure.stem != "training_curves"
            ):
                raise InputError(
                    f"{figure} is older than the checkpoint of epoch {loaded.epoch}: draw it anew, or delete it"
                )
