"""The best checkpoint of a run: found among those that are whole, read, released."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.errors import DamagedError, InputError
from jaxae.runs import metrics_log
from jaxae.runs.checkpoint import FOLDER, NOBODY, epochs, read_checkpoint, write_checkpoint
from jaxae.runs.manifest import read_manifest


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
    raise DamagedError(f"{errors[0]}, and no other is whole: restore it from a copy, or train in another --run-dir")


def best_first(run_dir: Path) -> list[int]:
    """The epochs to evaluate, as far as they are whole: the best one, then the others by their validation loss."""
    losses = {row["epoch"]: row.get("validation_loss", math.inf) for row in metrics_log.read(run_dir)}
    first: list[int] = []
    for epoch in reversed(epochs(run_dir)):
        try:
            first.append(read_manifest(run_dir / FOLDER / str(epoch)).best_epoch)
            break
        except DamagedError:
            first.append(epoch)  # it may have been the best: whoever reads it finds that it is damaged
    others = sorted(epochs(run_dir), key=lambda epoch: (losses.get(epoch, math.inf), -epoch))
    return list(dict.fromkeys([*first, *others]))


def release(source: Path, destination: Path, like: Any) -> None:
    """Copies the best checkpoint's variables alone: enough to evaluate and draw, a quarter of the size. Raises InputError."""
    best, folder = load_best(source, like), destination.absolute() / FOLDER
    folder.mkdir(parents=True)
    owner = read_manifest(source / FOLDER / str(best.epoch)).owner
    write_checkpoint(folder / str(best.epoch), {"variables": best.variables}, best_epoch=best.epoch, owner=owner)
