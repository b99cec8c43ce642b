"""The directory of a run: what belongs there, and who may write to it.

A run has config.json, environment.json, metrics.jsonl (one row for each epoch), states/ (its
checkpoints), and later results and figures.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from jaxae.config import Config
from jaxae.errors import InputError, expand
from jaxae.runs.files import file_errors, read_json, write_text
from jaxae.runs.manifest import with_ends

SYNTHETIC_SUFFIX = "-SYNTHETIC"
CONFIG = "config.json"
RESULTS = ("evaluation.json", "latent_scorecard.json", "noise_curve.json", "map.csv", "map.parquet")
WRITTEN = {CONFIG, "environment.json", "metrics.jsonl", "states", "damaged", "tensorboard"}
WRITTEN |= {*RESULTS, "figures", "export", "comparison.html", "explorer.html", "report.html"}
"""All that a run may hold, and that overwriting it deletes."""

OF_SYSTEMS = {"Thumbs.db", "desktop.ini"}
"""Files that Windows puts into folders; macOS's .DS_Store is a hidden one."""


def run_directory(run_dir: str | Path, config: Config) -> Path:
    """Return the absolute directory of a run, with SYNTHETIC in its name if its data are."""
    place = expand(run_dir).absolute()
    named = any(SYNTHETIC_SUFFIX in part for part in place.parts)

    if config.dataset == "synthetic" and not named:
        return place.with_name(place.name + SYNTHETIC_SUFFIX)
    return place


@contextlib.contextmanager
def open_run(
    run_dir: Path,
    config: Config,
    *,
    data: str | None = None,
    data_sha256: str | None = None,
    overwrite: bool = False,
) -> Iterator[Callable[[], None]]:
    """Make the directory, or check that it holds a run of this recipe, and lock it.

    data: the data set's title, which heads config.json. data_sha256: its digest; if it is the
    run's, the data may be in another place than before.
    Yields a function to call before each write. It raises InputError if the directory was moved or
    deleted since, as another run may be in its place.
    Raises InputError if another process trains there, if the recipe is another, or if the directory
    holds something else.
    """
    with file_errors(run_dir):
        if run_dir.exists() and not run_dir.is_dir():
            raise InputError(f"{run_dir} is a file: give run_dir a directory")

        strange = sorted(entries(run_dir) - WRITTEN)
        if overwrite and strange:
            raise InputError(
                f"{run_dir} holds {strange[0]}, which no run writes: overwrite deletes only runs"
            )
        run_dir.mkdir(parents=True, exist_ok=True)

    with _locked(run_dir) as check:
        if overwrite:
            _empty(run_dir)
        elif entries(run_dir):
            _check_recipe(run_dir, config, data_sha256)

        write_text(run_dir / CONFIG, config.to_json(data=data))
        yield check


def read_config(run_dir: Path) -> Config:
    """Return the recipe of a run. Raises InputError if the directory holds none."""
    with file_errors(run_dir):
        exists = run_dir.is_dir()

    if not exists:
        synthetic = run_dir.with_name(run_dir.name + SYNTHETIC_SUFFIX)
        hint = f"did you mean {synthetic}?" if synthetic.is_dir() else "train one with jaxae train"
        raise InputError(f"{run_dir} does not exist: {hint}")

    return _stored_config(run_dir)


def entries(folder: Path) -> set[str]:
    """Return the names in a folder, without hidden and systems' files; none if it is not there."""
    if not folder.is_dir():
        return set()

    names = {path.name for path in folder.iterdir()} - OF_SYSTEMS
    return {name for name in names if not name.startswith(".")}


def _empty(run_dir: Path) -> None:
    """Delete a run, its recipe last: if it is interrupted, what is left is still a run."""
    with file_errors(run_dir):
        names = entries(run_dir) - {CONFIG}
        for name in sorted(names):
            path = run_dir / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        (run_dir / CONFIG).unlink(missing_ok=True)


def _check_recipe(run_dir: Path, config: Config, data_sha256: str | None) -> None:
    """Raise InputError unless the run has this recipe.

    When it ends may change, as it goes on; and where its data are, if these are the same.
    """
    old = with_ends(_stored_config(run_dir), config)

    both_paths = Path(old.dataset).is_absolute() and Path(config.dataset).is_absolute()
    known = read_json(run_dir / "environment.json").get("data_sha256")
    if both_paths and known is not None and known == data_sha256:
        old = replace(old, dataset=config.dataset)

    if old != config:
        differences = "; ".join(config.differences(old))
        raise InputError(
            f"{run_dir} holds a run with another config ({differences}): "
            "give its options to go on with it, another run_dir, or overwrite it"
        )


def _stored_config(run_dir: Path) -> Config:
    path = run_dir / CONFIG
    try:
        return Config.from_json(path.read_bytes())
    except OSError:
        raise InputError(
            f"{run_dir} is not a run directory, as it has no {CONFIG}: "
            "name one that jaxae train wrote"
        ) from None
    except InputError as error:
        raise InputError(
            f"{path} is damaged ({error}): restore it, or give another run_dir"
        ) from error


@contextlib.contextmanager
def _locked(run_dir: Path) -> Iterator[Callable[[], None]]:
    """Lock the directory until the block or the process ends. Yields what checks its place."""
    try:
        import fcntl  # Windows has none, and evaluates runs all the same
    except ImportError:
        yield lambda: None
        return

    with file_errors(run_dir):
        descriptor = os.open(run_dir, os.O_RDONLY)
    try:
        with file_errors(run_dir):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"Another process is training in {run_dir}: "
                    "wait for it, or give another run_dir"
                ) from None

        yield lambda: _check_place(run_dir, descriptor)
    finally:
        os.close(descriptor)


def _check_place(run_dir: Path, descriptor: int) -> None:
    """Raise InputError unless the path still leads to the open directory."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(run_dir), os.fstat(descriptor)):
            return
    raise InputError(
        f"{run_dir} was moved or deleted while a run was training in it: "
        "that run ends here, and writes nothing more"
    )
