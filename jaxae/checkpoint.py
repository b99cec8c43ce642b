"""The only importer of Orbax: saves whole TrainStates, keeps the best and the latest, and checks what it loads.

A checkpoint has two items: `variables` (parameters and batch statistics, all that evaluation needs) and `training`
(the rest of the TrainState). Beside each, its leaves' dtypes and shapes and a SHA-256: Orbax itself casts a wrong dtype
in silence and does not notice a flipped bit.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from jaxae.data import digest
from jaxae.errors import InputError
from jaxae.state import TrainState, model_variables

FOLDER = "states"


def save(run_dir: Path, state: TrainState) -> None:
    """Saves the state as the checkpoint of its epoch; keeps the two latest and the best. Raises InputError.

    The state itself knows whether its epoch is the best so far; only then does the checkpoint get a metric to be ranked by.
    """
    items = _items(state)
    is_best = int(state.best_epoch) == int(state.epoch)
    try:
        with _checkpointer(run_dir) as checkpointer:
            saved = checkpointer.save_checkpointables(
                int(state.epoch),
                items,
                metrics={"validation_loss": float(state.best_loss)} if is_best else None,
                custom_metadata={name: _manifest(item) for name, item in items.items()},
            )
    except (OSError, ocp.training.errors.StepAlreadyExistsError) as error:
        raise InputError(f"{run_dir} can't take a checkpoint ({error}): those it has are intact") from error
    if not saved:
        raise InputError(f"{run_dir} already has a later checkpoint than epoch {state.epoch}: is another process training?")


def load_latest(run_dir: Path, like: TrainState) -> TrainState | None:
    """The latest state, or None where there is none. like: a TrainState of arrays or shapes. Raises InputError."""
    with _checkpointer(run_dir) as checkpointer:
        if not checkpointer.checkpoints:
            return None
        epoch = checkpointer.checkpoints[-1].step
        items = _load(checkpointer, epoch, _items(like))
    return like._replace(**items["training"], **items["variables"])


def load_best(run_dir: Path, like: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The variables of lowest validation loss and their epoch. like: variables, as arrays or shapes. Raises InputError."""
    with _checkpointer(run_dir) as checkpointer:
        if not checkpointer.checkpoints:
            raise InputError(f"{run_dir} has no checkpoint yet: train it with scripts/train.py --run-dir")
        best = min(checkpointer.checkpoints, key=lambda checkpoint: _rank(checkpoint.metrics))
        return _load(checkpointer, best.step, {"variables": like})["variables"], best.step


def release(source: Path, destination: Path, like: dict[str, Any]) -> None:
    """Copies the best checkpoint's variables alone: enough to evaluate and draw, a third of the size."""
    variables, epoch = load_best(source, like)
    with _checkpointer(destination) as checkpointer:
        checkpointer.save_checkpointables(
            epoch, {"variables": variables}, custom_metadata={"variables": _manifest(variables)}, overwrite=True
        )


def _items(state: TrainState) -> dict[str, Any]:
    rest = {name: value for name, value in state._asdict().items() if name not in ("params", "batch_stats")}
    return {"variables": model_variables(state), "training": rest}


def _rank(metrics: Any) -> float:
    """The validation loss of a checkpoint that was the best in its time; inf for every other."""
    return metrics["validation_loss"] if metrics else float("inf")


@contextmanager
def _checkpointer(run_dir: Path) -> Iterator[ocp.training.Checkpointer]:
    logging.getLogger("absl").setLevel(logging.ERROR)
    preserve = ocp.training.preservation_policies
    with ocp.training.Checkpointer(
        run_dir.absolute() / FOLDER,
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
        preservation_policy=preserve.AnyPreservationPolicy(
            [
                preserve.LatestN(2),
                preserve.BestN(get_metric_fn=_rank, reverse=True, n=1, keep_checkpoints_without_metrics=False),
            ]
        ),
        cleanup_tmp_directories=True,
    ) as checkpointer:
        yield checkpointer


def _load(checkpointer: ocp.training.Checkpointer, epoch: int, like: dict[str, Any]) -> dict[str, Any]:
    where = f"checkpoint {checkpointer.directory / str(epoch)}"
    try:
        stored = checkpointer.checkpointables_metadata(epoch)
        manifests = stored.custom_metadata or {}
        missing = [name for name in like if name not in (stored.metadata or {})]
        if missing:
            raise InputError(f"{where} has no {missing[0]} state: it was released for evaluation and can't be resumed")
        for name, item in like.items():
            _check_leaves(where, manifests[name]["leaves"], _leaves(item))
        device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), like)
        items = checkpointer.load_checkpointables(epoch, target)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} can't be read ({' '.join(str(error).split())[:200]})") from error
    for name, item in items.items():
        if _manifest(item)["sha256"] != manifests[name]["sha256"]:
            raise InputError(f"{where} is damaged: the SHA-256 of its {name} is not the one that was saved")
    return items


def _check_leaves(where: str, stored: dict[str, str], wanted: dict[str, str]) -> None:
    for path in sorted(stored.keys() | wanted.keys()):
        have, want = stored.get(path, "nothing"), wanted.get(path, "nothing")
        if have != want:
            raise InputError(f"{where} does not fit: {path} is {have} there, and the config makes it {want}")


def _manifest(item: Any) -> dict[str, Any]:
    bits = {path: _bits(leaf) for path, leaf in _paths(item).items()}
    return {"sha256": digest(bits), "leaves": _leaves(item)}


def _leaves(item: Any) -> dict[str, str]:
    return {path: f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in _paths(item).items()}


def _paths(item: Any) -> dict[str, Any]:
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in jax.tree.leaves_with_path(item)}


def _bits(leaf: jax.Array) -> np.ndarray:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)
