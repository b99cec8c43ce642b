"""Saves whole TrainStates, keeps the best and the two latest, and checks what it loads.

states/EPOCH/ has two items: `variables` (parameters and batch statistics, all that evaluation needs) and `training` (the
rest of the TrainState), and a manifest.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxae.core.state import TrainState, model_variables
from jaxae.errors import DamagedError, InputError, Report, brief, silent
from jaxae.rng import data_to_keys, keys_to_data
from jaxae.runs.arrays import read_items, write_items
from jaxae.runs.manifest import Manifest, check_files, check_fit, check_items, check_owner, read_manifest, write_manifest

FOLDER = "states"
ASIDE = "damaged"
NOBODY: Mapping[str, Any] = {}
"""An owner of whom nothing is known."""


def save(run_dir: Path, state: TrainState, *, owner: Mapping[str, Any] = NOBODY) -> None:
    """Saves the state as the checkpoint of its epoch, then deletes all but the best and the two latest. Raises InputError.

    owner: manifest.owner_of the run; loading compares it, as far as both are known.
    """
    folder, epoch = run_dir.absolute() / FOLDER, int(state.epoch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_checkpoint(folder / str(epoch), _items(state), best_epoch=int(state.best_epoch), owner=owner)
        for old in set(epochs(run_dir)[:-2]) - {int(state.best_epoch)}:
            doomed = (folder / str(old)).rename(folder / f"{old}.deleted")  # a kill leaves no half-deleted checkpoint
            shutil.rmtree(doomed)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run_dir} can't take the checkpoint of epoch {epoch} ({brief(error)}): older ones are intact"
        ) from error


def load_latest(
    run_dir: Path, like: TrainState, *, owner: Mapping[str, Any] = NOBODY, report: Report = silent
) -> TrainState | None:
    """The latest state that is whole, or None where there is none. like: a TrainState of arrays or shapes.

    A damaged checkpoint is set aside in RUN/damaged, and reported. Raises InputError where one does not fit, or is not owner's.
    """
    for leftover in (run_dir / FOLDER).glob("*[!0-9]*"):  # temporary and half-deleted ones that a kill has left
        shutil.rmtree(leftover, ignore_errors=True)
    for epoch in reversed(epochs(run_dir)):
        try:
            return read(run_dir, epoch, like, owner=owner)
        except DamagedError as error:
            report(f"{error}. It is set aside in {_set_aside(run_dir, epoch)}")
    return None


def epochs(run_dir: Path) -> list[int]:
    """The epochs of which there are checkpoints, ascending."""
    return sorted(int(path.name) for path in (run_dir / FOLDER).glob("*") if path.name.isdecimal())


def read(run_dir: Path, epoch: int, like: TrainState, *, owner: Mapping[str, Any] = NOBODY) -> TrainState:
    """The state of one epoch. Raises DamagedError where it is not what was saved, InputError where it does not fit."""
    items, manifest = read_checkpoint(run_dir, epoch, _items(like), owner)
    said = (epoch, manifest.best_epoch)
    if said != (found := tuple(int(items["training"][name]) for name in ("epoch", "best_epoch"))):
        folder = run_dir / FOLDER / str(epoch)
        raise DamagedError(f"The checkpoint {folder} is said to be of epoch {said[0]}, best {said[1]}, and holds {found}")
    name = "params" if like.average is None else "average"
    return like._replace(
        **items["training"], **{name: items["variables"]["params"]}, batch_stats=items["variables"]["batch_stats"]
    )


def _items(state: TrainState) -> dict[str, Any]:
    variables = ("params", "average", "batch_stats")
    # A field that is not used is left out, so that a run goes on that a version without it has begun.
    rest = {name: value for name, value in state._asdict().items() if name not in variables and value is not None}
    if state.average is not None:  # it is what the variables hold, and the parameters in training stand beside
        rest["params"] = state.params
    return {"variables": model_variables(state), "training": rest}


def _set_aside(run_dir: Path, epoch: int) -> Path:
    aside = run_dir / ASIDE
    aside.mkdir(exist_ok=True)
    number = sum(1 for _ in aside.glob(f"{epoch}-*"))
    return (run_dir / FOLDER / str(epoch)).rename(aside / f"{epoch}-{number}")


def write_checkpoint(path: Path, items: dict[str, Any], *, best_epoch: int, owner: Mapping[str, Any]) -> None:
    """Writes items and their manifest to a folder named after its epoch, whole or not at all. Raises OSError, ValueError."""
    temporary = path.with_name(f"{path.name}.tmp")
    items = keys_to_data(items)
    write_items(temporary, items)
    write_manifest(temporary, items, epoch=int(path.name), best_epoch=best_epoch, owner=owner)
    temporary.rename(path)


def read_checkpoint(
    run_dir: Path, epoch: int, like: dict[str, Any], owner: Mapping[str, Any]
) -> tuple[dict[str, Any], Manifest]:
    """The items of these names and shapes, and the manifest. Raises DamagedError, InputError as read does."""
    path = run_dir / FOLDER / str(epoch)
    manifest = read_manifest(path)
    check_owner(path, manifest, owner)
    shapes = {name: jax.eval_shape(keys_to_data, item) for name, item in like.items()}
    check_fit(path, manifest, shapes)
    check_files(path, manifest, shapes)
    try:
        items = read_items(path.absolute(), shapes)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # whatever Orbax makes of files whose digests were made to fit
        raise DamagedError(f"The checkpoint {path} can't be read ({brief(error)})") from error
    check_items(path, manifest, items)
    return data_to_keys(items, like), manifest
