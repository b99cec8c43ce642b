"""The only importer of Orbax: saves whole TrainStates, keeps the best and the two latest, and checks what it loads.

states/EPOCH/ has two items: `variables` (parameters and batch statistics, all that evaluation needs) and `training` (the
rest of the TrainState), and a manifest.
"""

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from jaxae.core.state import TrainState, model_variables
from jaxae.errors import DamagedError, InputError, Report, brief, silent
from jaxae.rng import data_to_keys, keys_to_data
from jaxae.runs.manifest import check_files, check_fit, check_items, read_manifest, write_manifest

FOLDER = "states"
ASIDE = "damaged"

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax narrates every save


def save(run_dir: Path, state: TrainState) -> None:
    """Saves the state as the checkpoint of its epoch, then deletes all but the best and the two latest. Raises InputError."""
    folder, epoch = run_dir.absolute() / FOLDER, int(state.epoch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / str(epoch), _items(state), best_epoch=int(state.best_epoch))
        for old in set(epochs(run_dir)[:-2]) - {int(state.best_epoch)}:
            doomed = (folder / str(old)).rename(folder / f"{old}.deleted")  # a kill leaves no half-deleted checkpoint
            shutil.rmtree(doomed)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run_dir} can't take the checkpoint of epoch {epoch} ({brief(error)}): older ones are intact"
        ) from error


def load_latest(run_dir: Path, like: TrainState, *, report: Report = silent) -> TrainState | None:
    """The latest state that is whole, or None where there is none. like: a TrainState of arrays or shapes.

    A damaged checkpoint is set aside in RUN/damaged, and reported. Raises InputError where a checkpoint does not fit.
    """
    for leftover in (run_dir / FOLDER).glob("*[!0-9]*"):  # temporary and half-deleted ones that a kill has left
        shutil.rmtree(leftover, ignore_errors=True)
    for epoch in reversed(epochs(run_dir)):
        try:
            return read(run_dir, epoch, like)
        except DamagedError as error:
            report(f"{error}. It is set aside in {_set_aside(run_dir, epoch)}")
    return None


def epochs(run_dir: Path) -> list[int]:
    """The epochs of which there are checkpoints, ascending."""
    return sorted(int(path.name) for path in (run_dir / FOLDER).glob("*") if path.name.isdecimal())


def read(run_dir: Path, epoch: int, like: TrainState) -> TrainState:
    """The state of one epoch. Raises DamagedError where it is not what was saved, InputError where it does not fit."""
    items = _read(run_dir, epoch, _items(like))
    name = "params" if like.average is None else "average"
    return like._replace(
        **items["training"], **{name: items["variables"]["params"]}, batch_stats=items["variables"]["batch_stats"]
    )


def load_best(run_dir: Path, like: Any) -> tuple[Any, int]:
    """The variables of lowest validation loss and their epoch. like: variables, as arrays or shapes. Raises InputError."""
    saved = epochs(run_dir)
    if not saved:
        raise InputError(f"{run_dir} has no checkpoint: train it with jaxae train --run-dir")
    best = saved[-1]
    try:
        best = read_manifest(run_dir / FOLDER / str(best))["best_epoch"]
        return _read(run_dir, best, {"variables": like})["variables"], best
    except DamagedError as error:
        newest = "jaxae train sets it aside and goes on from the one before"
        advice = newest if best == saved[-1] else "it was the best one; train again with --overwrite"
        raise DamagedError(f"{error}: {advice}") from error


def release(source: Path, destination: Path, like: Any) -> None:
    """Copies the best checkpoint's variables alone: enough to evaluate and draw, a third of the size. Raises InputError."""
    variables, epoch = load_best(source, like)
    folder = destination.absolute() / FOLDER
    folder.mkdir(parents=True)
    _write(folder / str(epoch), {"variables": variables}, best_epoch=epoch)


def _items(state: TrainState) -> dict[str, Any]:
    rest = {name: value for name, value in state._asdict().items() if name not in ("params", "average", "batch_stats")}
    if state.average is not None:  # it is what the variables hold, and the parameters in training stand beside
        rest["params"] = state.params
    return {"variables": model_variables(state), "training": rest}


def _set_aside(run_dir: Path, epoch: int) -> Path:
    aside = run_dir / ASIDE
    aside.mkdir(exist_ok=True)
    number = sum(1 for _ in aside.glob(f"{epoch}-*"))
    return (run_dir / FOLDER / str(epoch)).rename(aside / f"{epoch}-{number}")


def _write(path: Path, items: dict[str, Any], *, best_epoch: int) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    items = keys_to_data(items)
    if jax.process_count() > 1:  # where Orbax refuses what lies on one process's devices alone
        items = jax.tree.map(np.asarray, items)
    with _without_other_processes():
        ocp.save_checkpointables(temporary, items)
    for mark in temporary.rglob("commit_success.txt"):
        mark.write_text("")  # Orbax wants it to be there; what it writes into it is a path of this machine
    write_manifest(temporary, items, best_epoch=best_epoch)
    temporary.rename(path)


def _read(run_dir: Path, epoch: int, like: dict[str, Any]) -> dict[str, Any]:
    path = run_dir / FOLDER / str(epoch)
    manifest = read_manifest(path)
    shapes = {name: jax.eval_shape(keys_to_data, item) for name, item in like.items()}
    check_fit(path, manifest, shapes)
    check_files(path, manifest, shapes)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])  # the device that saved it may not be here
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), shapes)
    with _without_other_processes():
        items = ocp.load_checkpointables(path.absolute(), target)
    check_items(path, manifest, items)
    return data_to_keys(items, like)


@contextlib.contextmanager
def _without_other_processes() -> Iterator[None]:
    """Keeps Orbax from waiting for other processes: the first one alone has the files."""
    if jax.process_count() == 1:
        return (yield)
    from orbax.checkpoint.experimental.v1._src.saving import execution

    context, me = ocp.Context(), jax.process_index()
    context.multiprocessing.primary_host, context.multiprocessing.active_processes = me, {me}
    context.multiprocessing.barrier_sync_key_prefix = f"process-{me}"
    # Orbax 0.12 asks every process whether it saves to the same path, also those that are not active.
    with context, mock.patch.object(execution, "_check_directory_consistency"):
        yield
