"""A run that goes on from another run's checkpoint, in a directory of its own: the way on after a loss that broke."""

import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp

from jaxae.build import first_state, state_shapes
from jaxae.config import Config
from jaxae.core.state import restorable
from jaxae.errors import InputError
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import ORIGIN
from jaxae.runs.manifest import Owner, owner_of

SAME_VALIDATION = ("seed", "noise_factor")
"""Where two recipes agree in these, their validation losses are of the same noisy images."""


class Origin(NamedTuple):
    """A checkpoint to go on from."""

    run_dir: Path
    epoch: str = "best"
    """best, latest, or a number."""


def begin(origin: Origin, run_dir: Path, config: Config, *, data_sha256: str) -> list[str]:
    """Makes the origin's state the first checkpoint of a run that has none; returns a line about it, if it did.

    Weights, averages, the optimiser's moments and the counters go on; the learning rate and its plateau begin anew, as config
    says. environment.json notes the origin. Raises InputError where the state does not fit, or the run began otherwise.
    """
    began = files.read_json(run_dir / "environment.json").get(ORIGIN)
    if checkpoint.epochs(run_dir):
        _check_origin(origin, run_dir, began)
        return []
    old, epoch = directory.read_config(origin.run_dir), _epoch(origin)
    if epoch >= config.epochs:
        raise InputError(
            f"epochs is {config.epochs}, and {origin.run_dir} has done {epoch}: give more --epochs"
        )
    like = state_shapes(replace(config, restore_best=old.restore_best))
    found = checkpoint.read(origin.run_dir, epoch, like, owner=Owner(data_sha256=data_sha256))
    first = first_state(config)
    is_best = int(found.best_epoch) == epoch and all(
        getattr(old, name) == getattr(config, name) for name in SAME_VALIDATION
    )
    state = found._replace(
        key=first.key,
        plateau=first.plateau,
        drop_epoch=first.drop_epoch,
        best_loss=found.best_loss if is_best else jnp.float32(math.inf),
        best_epoch=found.epoch,
        best_state=restorable(found) if config.restore_best else None,
    )
    files.write_json(
        run_dir / "environment.json", {ORIGIN: {"run": origin.run_dir.name, "epoch": epoch}}
    )
    metrics_log.write(run_dir, metrics_log.read(origin.run_dir, up_to_epoch=epoch))
    checkpoint.save(run_dir, state, owner=owner_of(config, data_sha256=data_sha256))
    rate = f"the learning rate {config.learning_rate:g}, and its plateau begins anew"
    return [f"Going on from epoch {epoch} of {origin.run_dir} with {rate}"]


def _check_origin(origin: Origin, run_dir: Path, began: object) -> None:
    """Raises InputError where a run that has begun did not begin from here."""
    run, epoch = (
        (began.get("run"), str(began.get("epoch"))) if isinstance(began, dict) else (None, "")
    )
    if run != origin.run_dir.name or origin.epoch not in ("best", "latest", epoch):
        how = f"from epoch {epoch} of {run}" if run else "afresh"
        raise InputError(
            f"{run_dir} holds a run that began {how}: name another --run-dir, or leave out --resume-from"
        )


def _epoch(origin: Origin) -> int:
    saved = checkpoint.epochs(origin.run_dir)
    if not saved:
        raise InputError(
            f"{origin.run_dir} has no checkpoint to go on from: name another run with --resume-from"
        )
    if origin.epoch in ("best", "latest"):
        return saved[-1] if origin.epoch == "latest" else checkpoint.best_epoch(origin.run_dir)
    if origin.epoch not in map(str, saved):
        have = ", ".join(map(str, saved))
        raise InputError(
            f"--resume-epoch is {origin.epoch}: give best, latest, or one of {have}, which {origin.run_dir} has"
        )
    return int(origin.epoch)
