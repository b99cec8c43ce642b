"""The directory of a population of runs: population.json, and members/0, 1, …, each a run's own."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from jaxae.errors import InputError
from jaxae.runs.directory import CONFIG, RESULTS, entries
from jaxae.runs.files import file_errors, read_json, write_json

POPULATION = "population.json"
MEMBERS = "members"


def member_directories(
    run_dir: Path, names: Sequence[str], *, overwrite: bool = False, write: bool = True
) -> list[Path]:
    """Return the directories of a population's members; for one name, the directory itself.

    names: the members', which are written to population.json.
    overwrite: delete the results of other members, as many.
    write: false for a process that leaves writing to another.
    Raises InputError if the directory holds something else.
    """
    if len(names) == 1:
        return [run_dir]

    places = _member_places(run_dir, len(names))
    if not write:
        return places

    _check_population(run_dir, names, overwrite=overwrite)
    if overwrite:
        with file_errors(run_dir):
            for name in RESULTS:
                (run_dir / name).unlink(missing_ok=True)
            shutil.rmtree(run_dir / "figures", ignore_errors=True)

    write_json(run_dir / POPULATION, {"members": list(names)})
    return places


def members(run_dir: Path) -> list[Path]:
    """Return the run directories of a population, or the one of an ordinary run.

    Raises InputError if population.json is missing or damaged.
    """
    names = _stored_names(run_dir)
    if names:
        return _member_places(run_dir, len(names))

    if (run_dir / MEMBERS).is_dir() and not (run_dir / CONFIG).exists():
        raise InputError(
            f"{run_dir} has members, but no {POPULATION} that names them: "
            f"look at {run_dir / MEMBERS / '0'}"
        )
    return [run_dir]


def _check_population(run_dir: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Raise InputError unless the directory is empty, or holds these members."""
    with file_errors(run_dir):
        strange = sorted(entries(run_dir) - {POPULATION, MEMBERS, "figures", *RESULTS})
    if strange:
        raise InputError(
            f"{run_dir} holds {strange[0]}, and is not a population: "
            f"give another run_dir for {len(names)} members"
        )

    old = _stored_names(run_dir) or list(names)
    replaced = overwrite and len(old) == len(names)
    if old != list(names) and not replaced:
        raise InputError(
            f"{run_dir} holds {len(old)} other members, the first of them {old[0]}: "
            "give another run_dir"
        )


def _member_places(run_dir: Path, count: int) -> list[Path]:
    return [run_dir / MEMBERS / str(number) for number in range(count)]


def _stored_names(run_dir: Path) -> list[str]:
    """Return the names in population.json, none if it is missing. Raises InputError."""
    names = read_json(run_dir / POPULATION).get("members", [])

    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{run_dir / POPULATION} is damaged, as its members are no list of names: "
            f"look at {run_dir / MEMBERS / '0'}"
        )
    return names
