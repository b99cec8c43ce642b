"""The members of a population on disk: RUN/population.json names them, RUN/members/0 … are ordinary run directories."""

from collections.abc import Sequence
from pathlib import Path

from jaxae.errors import InputError
from jaxae.rundir import read_json, write_json

POPULATION = "population.json"


def member_directories(run_dir: Path, names: Sequence[str]) -> list[Path]:
    """Where the members of a population are kept, RUN/members/0 …, each an ordinary run; for one name, the directory itself.

    Writes RUN/population.json, the members' names. Raises InputError where the directory holds something else.
    """
    if len(names) == 1:
        return [run_dir]
    if (run_dir / "config.json").exists():
        raise InputError(f"{run_dir} holds an ordinary run: name another --run-dir for {len(names)} members")
    if (old := len(members(run_dir))) not in (1, len(names)):
        raise InputError(f"{run_dir} holds {old} members, not {len(names)}: name another --run-dir")
    write_json(run_dir / POPULATION, {"members": list(names)})
    return [run_dir / "members" / str(k) for k in range(len(names))]


def members(run_dir: Path) -> list[Path]:
    """The run directories of a population, or the one of an ordinary run."""
    count = len(read_json(run_dir / POPULATION).get("members", ()))
    return [run_dir / "members" / str(k) for k in range(count)] or [run_dir]
