"""Saves whole TrainStates, keeps the best and the two latest, and checks what it loads.

states/EPOCH/ has two items: `variables` (parameters and batch statistics, all that evaluation needs) and `training` (the
rest of the TrainState), and a manifest.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxae.core.rng import data_to_keys, keys_to_data
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import DamagedError, InputError, Report, brief, silent
from jaxae.runs import metrics_log
from jaxae.runs.arrays import read_items, write_items
from jaxae.runs.manifest import (
    Manifest,
    check_files,
    check_fit,
    check_items,
    check_owner,
    read_manifest,
    write_manifest,
)

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
        write_checkpoint(
            folder / str(epoch), _items(state), best_epoch=int(state.best_epoch), owner=owner
        )
        for old in set(epochs(run_dir)[:-2]) - {int(state.best_epoch)}:
            doomed = (folder / str(old)).rename(
                folder / f"{old}.deleted"
            )  # a kill leaves no half-deleted checkpoint
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
    for leftover in (run_dir / FOLDER).glob(
        "*[!0-9]*"
    ):  # temporary and half-deleted ones that a kill has left
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


def read(
    run_dir: Path, epoch: int, like: TrainState, *, owner: Mapping[str, Any] = NOBODY
) -> TrainState:
    """The state of one epoch. Raises DamagedError where it is not what was saved, InputError where it does not fit."""
    items, manifest = read_checkpoint(run_dir, epoch, _items(like), owner)
    said = (epoch, manifest.best_epoch)
    if said != (found := tuple(int(items["training"][name]) for name in ("epoch", "best_epoch"))):
        folder = run_dir / FOLDER / str(epoch)
        raise DamagedError(
            f"The checkpoint {folder} is said to be of epoch {said[0]}, best {said[1]}, and holds {found}"
        )
    name = "params" if like.average is None else "average"
    return like._replace(
        **items["training"],
        **{name: items["variables"]["params"]},
        batch_stats=items["variables"]["batch_stats"],
    )


def _items(state: TrainState) -> dict[str, Any]:
    variables = ("params", "average", "batch_stats")
    # A field that is not used is left out, so that a run goes on that a version without it has begun.
    rest = {
        name: value
        for name, value in state._asdict().items()
        if name not in variables and value is not None
    }
    if (
        state.average is not None
    ):  # it is what the variables hold, and the parameters in training stand beside
        rest["params"] = state.params
    return {"variables": model_variables(state), "training": rest}


def _set_aside(run_dir: Path, epoch: int) -> Path:
    aside = run_dir / ASIDE
    aside.mkdir(exist_ok=True)
    number = sum(1 for _ in aside.glob(f"{epoch}-*"))
    return (run_dir / FOLDER / str(epoch)).rename(aside / f"{epoch}-{number}")


def write_checkpoint(
    path: Path, items: dict[str, Any], *, best_epoch: int, owner: Mapping[str, Any]
) -> None:
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


class Best(NamedTuple):
    """Variables, and where they come from."""

    variables: Any
    epoch: int
    data_sha256: str | None
    """Of the data that they were trained on, where that is known."""
    damaged: int | None
    """The epoch of the best checkpoint, where it is damaged and this is the best of those that are whole."""


def load_best(run_dir: Path, like: Any, *, owner: Mapping[str, Any] = NOBODY) -> Best:
    """The variables of lowest validation loss that are whole. like: variables, as arrays or shapes. Raises InputError."""
    saved = epochs(run_dir)
    errors: list[DamagedError] = []
    if not saved:
        raise InputError(f"{run_dir} has no checkpoint: train it with jaxae train --run-dir")
    candidates = best_first(run_dir)
    for epoch in candidates:
        try:
            items, manifest = read_checkpoint(run_dir, epoch, {"variables": like}, owner)
            damaged = candidates[0] if errors else None
            return Best(items["variables"], epoch, manifest.owner.get("data_sha256"), damaged)
        except (DamagedError, OSError, ValueError) as error:
            if epochs(run_dir) != saved:  # a trainer has replaced it meanwhile
                return load_best(run_dir, like, owner=owner)
            if not isinstance(error, DamagedError):
                raise
            errors.append(error)
    raise DamagedError(
        f"{errors[0]}, and no other is whole: restore it from a copy, or train in another --run-dir"
    )


def best_first(run_dir: Path) -> list[int]:
    """The epochs to evaluate, as far as they are whole: the best one, then the others by their validation loss."""
    losses = {
        row["epoch"]: row.get("validation_loss", math.inf) for row in metrics_log.read(run_dir)
    }
    first: list[int] = []
    for epoch in reversed(epochs(run_dir)):
        try:
            first.append(read_manifest(run_dir / FOLDER / str(epoch)).best_epoch)
            break
        except DamagedError:
            first.append(
                epoch
            )  # it may have been the best: whoever reads it finds that it is damaged
    others = sorted(epochs(run_dir), key=lambda epoch: (losses.get(epoch, math.inf), -epoch))
    return list(dict.fromkeys([*first, *others]))


def release(source: Path, destination: Path, like: Any) -> None:
    """Copies the best checkpoint's variables alone: enough to evaluate and draw, a quarter of the size. Raises InputError."""
    best, folder = load_best(source, like), destination.absolute() / FOLDER
    folder.mkdir(parents=True)
    owner = read_manifest(source / FOLDER / str(best.epoch)).owner
    write_checkpoint(
        folder / str(best.epoch), {"variables": best.variables}, best_epoch=best.epoch, owner=owner
    )
