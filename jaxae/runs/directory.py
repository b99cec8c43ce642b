"""A run directory: all that a person can read about a run, and the place of its checkpoints.

config.json, environment.json, metrics.jsonl (a row an epoch), evaluation.json, figures/*.png, states/ (Orbax).
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jaxae.config import Config
from jaxae.errors import InputError, expand
from jaxae.runs.files import file_errors, read_json, write_json, write_text

SYNTHETIC_SUFFIX = "-SYNTHETIC"
RESULTS = ("evaluation.json", "latent_scorecard.json", "noise_curve.json")
WRITTEN = {
    "config.json",
    "environment.json",
    "metrics.jsonl",
    *RESULTS,
    "figures",
    "states",
    "damaged",
    "tensorboard",
}
WRITTEN |= {"comparison.html", "explorer.html", "export", "report.html"}


def run_directory(run_dir: Path, config: Config) -> Path:
    """The directory of a run, absolute; one on synthetic data has SYNTHETIC in its name."""
    run_dir = expand(run_dir).absolute()
    if config.dataset == "synthetic" and not any(
        SYNTHETIC_SUFFIX in part for part in run_dir.parts
    ):
        return run_dir.parent / (run_dir.name + SYNTHETIC_SUFFIX)
    return run_dir


@contextlib.contextmanager
def open_run(
    run_dir: Path, config: Config, *, data: str | None = None, overwrite: bool = False
) -> Iterator[Callable[[], None]]:
    """Makes the directory, or checks that it holds a run of this very recipe, and keeps other processes out of it.

    data: the data set's title, which heads config.json. Yields a function to call before each write, which raises InputError
    where the directory is no longer the one that was opened: it was moved or deleted, and another run may be in its place.
    Raises InputError where another process trains there, the recipe differs, or the directory holds something else.
    """
    with file_errors(run_dir):
        if run_dir.exists() and not run_dir.is_dir():
            raise InputError(f"{run_dir} is a file: name a directory with --run-dir")
        if overwrite and (strange := sorted(_entries(run_dir) - WRITTEN)):
            raise InputError(
                f"{run_dir} holds {strange[0]}, which no run writes: --overwrite deletes only runs"
            )
        run_dir.mkdir(parents=True, exist_ok=True)
    with _locked(run_dir) as check:
        if overwrite:
            with file_errors(run_dir):
                for name in sorted(
                    _entries(run_dir), key="config.json".__eq__
                ):  # it goes last: a kill leaves a run
                    path = run_dir / name
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif _entries(run_dir) and (old := _stored_config(run_dir)) != config:
            raise InputError(
                f"{run_dir} holds a run with another config ({'; '.join(config.differences(old))}): "
                "name another --run-dir, or --overwrite it"
            )
        write_text(run_dir / "config.json", config.to_json(data=data))
        yield check


def _entries(run_dir: Path) -> set[str]:
    """What is in the directory, but for the unfinished files that a kill may leave."""
    return (
        {path.name for path in run_dir.iterdir() if path.suffix != ".tmp"}
        if run_dir.is_dir()
        else set()
    )


@contextlib.contextmanager
def _locked(run_dir: Path) -> Iterator[Callable[[], None]]:
    """Holds the directory's own lock, which the system releases however the process ends; yields what checks its place."""
    try:
        import fcntl  # here, not above: Windows has none, and evaluates runs all the same
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
                advice = "wait for it, or name another --run-dir"
                raise InputError(f"Another process is training in {run_dir}: {advice}") from None
        yield lambda: _check_place(run_dir, descriptor)
    finally:
        os.close(descriptor)


def _check_place(run_dir: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(run_dir), os.fstat(descriptor)):
            return
    raise InputError(
        f"{run_dir} was moved or deleted while a run was training in it: that run ends here, and writes nothing more"
    )


def read_config(run_dir: Path) -> Config:
    """The recipe of a run. Raises InputError where the directory holds none."""
    with file_errors(run_dir):
        exists = run_dir.is_dir()
    if not exists:
        synthetic = run_dir.with_name(run_dir.name + SYNTHETIC_SUFFIX)
        hint = (
            f"did you mean {synthetic}?"
            if synthetic.is_dir()
            else "train one with jaxae train --run-dir"
        )
        raise InputError(f"{run_dir} does not exist: {hint}")
    return _stored_config(run_dir)


def _stored_config(run_dir: Path) -> Config:
    path = run_dir / "config.json"
    try:
        return Config.from_json(path.read_bytes())
    except OSError:
        raise InputError(
            f"{run_dir} is not a run directory: it has no config.json; name one that jaxae train wrote"
        ) from None
    except InputError as error:
        raise InputError(
            f"{path} is damaged ({error}): restore it, or name another --run-dir"
        ) from error


POPULATION = "population.json"


FOLDER = "members"


def member_directories(
    run_dir: Path, names: Sequence[str], *, overwrite: bool = False, write: bool = True
) -> list[Path]:
    """Where the members of a population are kept, RUN/members/0 …, each an ordinary run; for one name, the directory itself.

    Writes RUN/population.json, the members' names; overwrite deletes what was measured of the old ones. Raises InputError
    where the directory holds something else. write: false for a process that leaves all of this to another.
    """
    if len(names) == 1:
        return [run_dir]
    places = [run_dir / FOLDER / str(k) for k in range(len(names))]
    if not write:
        return places
    with file_errors(run_dir):
        there = (
            {path.name for path in run_dir.iterdir() if path.suffix != ".tmp"}
            if run_dir.is_dir()
            else set()
        )
    if strange := sorted(there - {POPULATION, FOLDER, "figures", *RESULTS}):
        raise InputError(
            f"{run_dir} holds {strange[0]}, and is not a population: name another --run-dir for {len(names)} members"
        )
    old = _stored(run_dir) or list(names)
    if old != list(names) and (not overwrite or len(old) != len(names)):
        raise InputError(
            f"{run_dir} holds {len(old)} other members, from {old[0]} on: name another --run-dir"
        )
    if overwrite:
        with file_errors(run_dir):
            for name in RESULTS:
                (run_dir / name).unlink(missing_ok=True)
            shutil.rmtree(run_dir / "figures", ignore_errors=True)
    write_json(run_dir / POPULATION, {"members": list(names)})
    return places


def members(run_dir: Path) -> list[Path]:
    """The run directories of a population, or the one of an ordinary run."""
    if (
        not (count := len(_stored(run_dir)))
        and (run_dir / FOLDER).is_dir()
        and not (run_dir / "config.json").exists()
    ):
        raise InputError(
            f"{run_dir} has members, but no {POPULATION} that names them: look at {run_dir / FOLDER / '0'}"
        )
    return [run_dir / FOLDER / str(k) for k in range(count)] or [run_dir]


def _stored(run_dir: Path) -> list[str]:
    """The members' names in population.json; none where there is no such file. Raises InputError where it is damaged."""
    names = read_json(run_dir / POPULATION).get("members", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{run_dir / POPULATION} is damaged: its members are no list of names; look at {run_dir / FOLDER / '0'}"
        )
    return names
