"""The only importer of Orbax: saves whole TrainStates, keeps the best and the two latest, and checks what it loads.

states/EPOCH/ has two items: `variables` (parameters and batch statistics, all that evaluation needs) and `training` (the
rest of the TrainState). A manifest in Orbax's custom metadata holds the leaves' dtypes and shapes and a SHA-256 over them:
Orbax itself casts a wrong dtype in silence and does not notice a flipped bit.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from jaxae.errors import DamagedError, InputError
from jaxae.fingerprint import describe_leaves, json_digest, tree_digest
from jaxae.state import TrainState, model_variables

FOLDER = "states"
ASIDE = "damaged"
DELETED = ".deleted"

Report = Callable[[str], None]

for noisy in ("absl", "asyncio"):  # Orbax narrates every save, and complains at length of what is told in one line here
    logging.getLogger(noisy).setLevel(logging.CRITICAL)


def save(run_dir: Path, state: TrainState) -> None:
    """Saves the state as the checkpoint of its epoch, then deletes all but the best and the two latest. Raises InputError."""
    folder, epoch = run_dir.absolute() / FOLDER, int(state.epoch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / str(epoch), _items(state), best_epoch=int(state.best_epoch))
        for old in set(_epochs(run_dir)[:-2]) - {int(state.best_epoch)}:
            doomed = (folder / str(old)).rename(folder / f"{old}{DELETED}")  # a kill leaves no half-deleted checkpoint
            shutil.rmtree(doomed)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run_dir} can't take the checkpoint of epoch {epoch} ({_brief(error)}): older ones are intact"
        ) from error


def load_latest(run_dir: Path, like: TrainState, *, report: Report = lambda line: None) -> TrainState | None:
    """The latest state that is whole, or None where there is none. like: a TrainState of arrays or shapes.

    A damaged checkpoint is set aside in RUN/damaged, and reported. Raises InputError where a checkpoint does not fit.
    """
    for leftover in (run_dir / FOLDER).glob("*[!0-9]*"):  # temporary and half-deleted ones that a kill has left
        shutil.rmtree(leftover, ignore_errors=True)
    for epoch in reversed(_epochs(run_dir)):
        try:
            items = _read(run_dir, epoch, _items(like))
            return like._replace(**items["training"], **items["variables"])
        except DamagedError as error:
            report(f"{error}. It is set aside in {_set_aside(run_dir, epoch)}")
    return None


def load_best(run_dir: Path, like: Any, *, report: Report = lambda line: None) -> tuple[Any, int]:
    """The variables of lowest validation loss and their epoch. like: variables, as arrays or shapes. Raises InputError."""
    best = None
    for epoch in reversed(_epochs(run_dir)):
        try:
            best = _manifest(run_dir, epoch)["best_epoch"]
            break
        except DamagedError as error:
            report(f"{error}. Going by an earlier one")
    if best is None:
        raise InputError(f"{run_dir} has no checkpoint that can be read: train it with scripts/train.py --run-dir")
    return _read(run_dir, best, {"variables": like})["variables"], best


def release(source: Path, destination: Path, like: Any) -> None:
    """Copies the best checkpoint's variables alone: enough to evaluate and draw, a third of the size. Raises InputError."""
    variables, epoch = load_best(source, like)
    folder = destination.absolute() / FOLDER
    folder.mkdir(parents=True)
    _write(folder / str(epoch), {"variables": variables}, best_epoch=epoch)
    for mark in folder.rglob("commit_success.txt"):
        mark.write_text("")  # Orbax wants it to be there; what it writes into it is a path of this machine


def _items(state: TrainState) -> dict[str, Any]:
    rest = {name: value for name, value in state._asdict().items() if name not in ("params", "batch_stats")}
    return {"variables": model_variables(state), "training": rest}


def _epochs(run_dir: Path) -> list[int]:
    return sorted(int(path.name) for path in (run_dir / FOLDER).glob("*") if path.name.isdecimal())


def _set_aside(run_dir: Path, epoch: int) -> Path:
    aside = run_dir / ASIDE
    aside.mkdir(exist_ok=True)
    number = sum(1 for _ in aside.glob(f"{epoch}-*"))
    return (run_dir / FOLDER / str(epoch)).rename(aside / f"{epoch}-{number}")


def _write(path: Path, items: dict[str, Any], *, best_epoch: int) -> None:
    content = {
        "best_epoch": best_epoch,
        "sha256": {name: tree_digest(item) for name, item in items.items()},
        "leaves": {name: describe_leaves(item) for name, item in items.items()},
    }
    ocp.save_checkpointables(path, items, custom_metadata={"manifest": content, "sha256": json_digest(content)})


def _manifest(run_dir: Path, epoch: int) -> dict[str, Any]:
    path = run_dir / FOLDER / str(epoch)
    try:
        metadata: Any = ocp.checkpointables_metadata(path.absolute()).custom_metadata
        manifest, sha256 = metadata["manifest"], metadata["sha256"]
    except Exception as error:  # whatever damage makes Orbax and its parsers raise
        raise DamagedError(f"The checkpoint {path} can't be read ({_brief(error)})") from error
    if json_digest(manifest) != sha256:
        raise DamagedError(f"The checkpoint {path} is damaged: its manifest is not the one that was saved")
    return manifest


def _read(run_dir: Path, epoch: int, like: dict[str, Any]) -> dict[str, Any]:
    path = run_dir / FOLDER / str(epoch)
    manifest = _manifest(run_dir, epoch)
    for name, item in like.items():
        if name not in manifest["leaves"]:
            raise InputError(f"The checkpoint {path} has no {name} state: it was released to evaluate, and can't be resumed")
        _compare_leaves(path, manifest["leaves"][name], describe_leaves(item))
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])  # the device that saved it may not be here
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), like)
    try:
        items = ocp.load_checkpointables(path.absolute(), target)
    except Exception as error:  # as above
        raise DamagedError(f"The checkpoint {path} can't be read ({_brief(error)})") from error
    for name, item in items.items():
        if tree_digest(item) != manifest["sha256"][name]:
            raise DamagedError(f"The checkpoint {path} is damaged: the SHA-256 of its {name} is not the one that was saved")
    return items


def _compare_leaves(path: Path, stored: dict[str, str], wanted: dict[str, str]) -> None:
    for leaf in sorted(stored.keys() | wanted.keys()):
        have, want = stored.get(leaf, "nothing"), wanted.get(leaf, "nothing")
        if have != want:
            raise InputError(f"The checkpoint {path} does not fit: {leaf} is {have} there, and the config makes it {want}")


def _brief(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
