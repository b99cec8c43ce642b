"""The members of a population on disk: RUN/population.json names them, RUN/members/0 … are ordinary run directories."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from jaxae.errors import InputError
from jaxae.runs.directory import RESULTS
from jaxae.runs.files import file_errors, read_json, write_json

POPULATION = "population.json"
FOLDER = "members"


def member_directories(run_dir: Path, names: Sequence[str], *, overwrite: bool = False, write: bool = True) -> list[Path]:
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
        there = {path.name for path in run_dir.iterdir() if path.suffix != ".tmp"} if run_dir.is_dir() else set()
    if strange := sorted(there - {POPULATION, FOLDER, "figures", *RESULTS}):
        raise InputError(
            f"{run_dir} holds {strange[0]}, and is not a population: name another --run-dir for {len(names)} members"
        )
    old = _stored(run_dir) or list(names)
    if old != list(names) and (not overwrite or len(old) != len(names)):
        raise InputError(f"{run_dir} holds {len(old)} other members, from {old[0]} on: name another --run-dir")
    if overwrite:
        with file_errors(run_dir):
            for name in RESULTS:
                (run_dir / name).unlink(missing_ok=True)
            shutil.rmtree(run_dir / "figures", ignore_errors=True)
    write_json(run_dir / POPULATION, {"members": list(names)})
    return places


def members(run_dir: Path) -> list[Path]:
    """The run directories of a population, or the one of an ordinary run."""
    if not (count := len(_stored(run_dir))) and (run_dir / FOLDER).is_dir() and not (run_dir / "config.json").exists():
        raise InputError(f"{run_dir} has members, but no {POPULATION} that names them: look at {run_dir / FOLDER / '0'}")
    return [run_dir / FOLDER / str(k) for k in range(count)] or [run_dir]


def _stored(run_dir: Path) -> list[str]:
    """The members' names in population.json; none where there is no such file. Raises InputError where it is damaged."""
    names = read_json(run_dir / POPULATION).get("members", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{run_dir / POPULATION} is damaged: its members are no list of names; look at {run_dir / FOLDER / '0'}"
        )
    return names
