"""Checkpoints: save whole training states, keep the best and the two latest, check what is loaded.

RUN/states/EPOCH/ holds two items and a manifest. `variables` are the parameters and the batch
statistics, all that evaluation needs; `training` is the rest of the TrainState.
"""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxae.core.rng import data_to_keys, keys_to_data
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import DamagedError, InputError, Report, brief, silent
from jaxae.runs.arrays import read_items, write_items
from jaxae.runs.manifest import (
    NOBODY,
    Manifest,
    Owner,
    check_fit,
    check_items,
    check_owner,
    read_manifest,
    write_manifest,
)
from jaxae.temporary import discard, replacing

FOLDER = "states"
ASIDE = "damaged"


class Best(NamedTuple):
    """Variables to evaluate, and their origin."""

    variables: Any
    epoch: int
    owner: Owner


def epochs(run_dir: Path) -> list[int]:
    """Return the epochs that have a checkpoint, ascending."""
    names = [path.name for path in (run_dir / FOLDER).glob("*")]
    return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name))


def best_epoch(run_dir: Path) -> int:
    """Return the epoch of the lowest validation loss, which the latest checkpoint names.

    Raises InputError if there is no checkpoint, DamagedError if the latest one is damaged.
    """
    latest = _saved(run_dir)[-1]
    return read_manifest(_place(run_dir, latest)).best_epoch


def save(run_dir: Path, state: TrainState, *, owner: Owner = NOBODY) -> None:
    """Save the state as its epoch's checkpoint, then delete all but the best and the two latest.

    owner: the run's, which loading compares with its own. Raises InputError.
    """
    epoch, best = int(state.epoch), int(state.best_epoch)
    place = _place(run_dir.absolute(), epoch)

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(place, _items(state), best_epoch=best, owner=owner)

        for old in set(epochs(run_dir)[:-2]) - {best}:
            discard(_place(run_dir, old))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run_dir} can't take the checkpoint of epoch {epoch} ({brief(error)}): "
            "older ones are intact"
        ) from error


def load_latest(
    run_dir: Path, like: TrainState, *, owner: Owner = NOBODY, report: Report = silent
) -> TrainState | None:
    """Return the latest state that is whole, None if there is none. like: as read's.

    A damaged checkpoint is moved to RUN/damaged and reported, so that its epoch can be saved again.
    Raises InputError if a checkpoint does not fit, or has another owner.
    """
    for epoch in reversed(epochs(run_dir)):
        try:
            return read(run_dir, epoch, like, owner=owner)
        except DamagedError as error:
            place = _set_aside(run_dir, epoch)
            report(f"{error}. It is moved to {place}")

    return None


def read(run_dir: Path, epoch: int, like: TrainState, *, owner: Owner = NOBODY) -> TrainState:
    """Return the state of one epoch. like: a TrainState of arrays or shapes.

    Raises DamagedError if it is not what was saved, InputError if it does not fit.
    """
    items, manifest = read_checkpoint(run_dir, epoch, _items(like), owner)
    variables, training = items["variables"], items["training"]
    told = (epoch, manifest.best_epoch)
    found = (int(training["epoch"]), int(training["best_epoch"]))
    if found != told:
        raise DamagedError(
            f"The checkpoint {_place(run_dir, epoch)} should be of epoch {told[0]}, "
            f"best {told[1]}, but holds {found}"
        )

    state = like._replace(**training, batch_stats=variables["batch_stats"])
    if like.average is None:
        return state._replace(params=variables["params"])
    return state._replace(average=variables["params"])


def load_best(run_dir: Path, like: Any, *, owner: Owner = NOBODY, epoch: int | None = None) -> Best:
    """Return the variables of the lowest validation loss, or those of the given epoch.

    like: the variables as arrays or shapes. Raises InputError if there is no such checkpoint,
    DamagedError, which names the epochs that are whole, if it is damaged.
    """
    saved = _saved(run_dir)
    if epoch is not None and epoch not in saved:
        raise InputError(f"epoch is {epoch}, but {run_dir} has {_listed(saved)}: give one of them")

    try:
        wanted = best_epoch(run_dir) if epoch is None else epoch
        return _read_variables(run_dir, wanted, like, owner)
    except (DamagedError, OSError) as error:
        if epochs(run_dir) != saved:  # a training process has replaced it meanwhile
            return load_best(run_dir, like, owner=owner, epoch=epoch)
        if isinstance(error, OSError):
            raise
        raise DamagedError(f"{error}. {_way_out(run_dir, like, owner)}") from error


def release(source: Path, destination: Path, like: Any) -> None:
    """Copy the best checkpoint's variables alone: all that evaluation needs, a quarter of the size.

    Raises InputError.
    """
    best = load_best(source, like)
    place = _place(destination.absolute(), best.epoch)
    place.parent.mkdir(parents=True)

    items = {"variables": best.variables}
    write_checkpoint(place, items, best_epoch=best.epoch, owner=best.owner)


def write_checkpoint(place: Path, items: dict[str, Any], *, best_epoch: int, owner: Owner) -> None:
    """Write items and their manifest to a new folder, whole or not at all.

    place: its name is the epoch. Raises OSError, ValueError.
    """
    data = keys_to_data(items)
    with replacing(place) as unfinished:
        write_items(unfinished, data)
        write_manifest(unfinished, data, epoch=int(place.name), best_epoch=best_epoch, owner=owner)


def read_checkpoint(
    run_dir: Path, epoch: int, like: dict[str, Any], owner: Owner
) -> tuple[dict[str, Any], Manifest]:
    """Return the items with the names and shapes of `like`, and the manifest.

    Raises DamagedError, InputError as read does.
    """
    place = _place(run_dir, epoch)
    manifest = read_manifest(place)
    check_owner(place, manifest, owner)

    shapes = {name: jax.eval_shape(keys_to_data, item) for name, item in like.items()}
    check_fit(place, manifest, shapes)

    try:
        items = read_items(place.absolute(), shapes)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # Orbax and TensorStore raise many types
        raise DamagedError(
            f"Orbax can't read the checkpoint {place}: it is damaged, or of another Orbax"
        ) from error
    check_items(place, manifest, items)

    return data_to_keys(items, like), manifest


def _read_variables(run_dir: Path, epoch: int, like: Any, owner: Owner) -> Best:
    items, manifest = read_checkpoint(run_dir, epoch, {"variables": like}, owner)
    return Best(items["variables"], epoch, manifest.owner)


def _way_out(run_dir: Path, like: Any, owner: Owner) -> str:
    """Return what to do about a damaged checkpoint, which depends on the others."""
    whole = []
    for epoch in epochs(run_dir):
        with contextlib.suppress(InputError, OSError):
            whole.append(_read_variables(run_dir, epoch, like, owner).epoch)

    if not whole:
        return "No other is whole: restore it from a copy, or train in another run_dir"

    call = f"jaxae.load(run_dir, epoch={whole[-1]})"
    return (
        f"Restore it from a copy, or take another epoch: {_listed(whole)} can be loaded, "
        f"by {call} or with --epoch {whole[-1]}"
    )


def _saved(run_dir: Path) -> list[int]:
    """Return epochs of the run, of which there is one at least. Raises InputError."""
    found = epochs(run_dir)
    if not found:
        raise InputError(f"{run_dir} has no checkpoint: train it with jaxae train")
    return found


def _listed(found: Sequence[int]) -> str:
    """Return "epoch 3", or "epochs 1, 2, 3"."""
    return f"epoch{'s' * (len(found) > 1)} {', '.join(map(str, found))}"


def _place(run_dir: Path, epoch: int) -> Path:
    return run_dir / FOLDER / str(epoch)


def _items(state: TrainState) -> dict[str, Any]:
    """Return the two items of a state, without the fields that are not in use.

    So a run that began in a version without such a field can go on.
    """
    fields = {name: value for name, value in state._asdict().items() if value is not None}
    for name in ("params", "average", "batch_stats"):
        fields.pop(name, None)

    if state.average is not None:  # it is among the variables, so the parameters are not
        fields["params"] = state.params

    return {"variables": model_variables(state), "training": fields}


def _set_aside(run_dir: Path, epoch: int) -> Path:
    """Move a checkpoint to RUN/damaged/EPOCH-NUMBER, and return that place."""
    aside = run_dir / ASIDE
    aside.mkdir(exist_ok=True)

    number = sum(1 for _ in aside.glob(f"{epoch}-*"))
    return _place(run_dir, epoch).rename(aside / f"{epoch}-{number}")
