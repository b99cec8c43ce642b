"""A run that begins from another run's checkpoint: a step before training.

It writes the first checkpoint of a run, which training then only resumes: a way on with a lower
learning rate after a loss broke, and to train on with other data of the same shape.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
from pydantic import TypeAdapter, ValidationError

from jaxae.build import first_state, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, restorable
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError, Report
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import ORIGIN
from jaxae.runs.manifest import owner_of, read_manifest

SAME_VALIDATION = ("seed", "noise_factor")
"""If two recipes agree in these, their validation losses are of the same noisy images."""


class Origin(NamedTuple):
    """A checkpoint to go on from."""

    run_dir: Path
    epoch: str = "best"
    """best, latest, or a number."""


class Begun(NamedTuple):
    """Where a run began, as its environment.json notes it."""

    run: str
    epoch: int


def begin_from(
    origin: Origin,
    run_dirs: Sequence[Path],
    configs: Sequence[Config],
    dataset: Dataset,
    *,
    overwrite: bool = False,
    report: Report,
) -> None:
    """Make the origin's state the first checkpoint of each run that has none.

    Weights, averages, the optimiser's moments and the counters go on. The learning rate and its
    plateau start again, as the recipe says. Raises InputError where the state does not fit, or a
    run began otherwise.
    """
    for run_dir, config in zip(run_dirs, configs, strict=True):
        if checkpoint.epochs(run_dir) and not overwrite:
            _check_origin(origin, run_dir)
            continue

        old = directory.read_config(origin.run_dir)
        epoch = _epoch(origin)
        same_data = _trained_on(origin.run_dir, epoch) in (None, dataset.digest)
        state = _read(origin.run_dir, epoch, config, old=old, same_data=same_data)
        with directory.open_run(run_dir, config, data=dataset.title, overwrite=overwrite):
            began = Begun(origin.run_dir.name, epoch)
            files.write_json(run_dir / "environment.json", {ORIGIN: began._asdict()})
            metrics_log.write(run_dir, metrics_log.read(origin.run_dir, up_to_epoch=epoch))
            checkpoint.save(run_dir, state, owner=owner_of(config, data_sha256=dataset.digest))
        if not same_data:
            report(
                f"{dataset.title} are other data than those of {origin.run_dir}: its weights are "
                f"the start, and the losses up to epoch {epoch} are of its data"
            )
        report(
            f"Going on from epoch {epoch} of {origin.run_dir} with the learning rate "
            f"{config.learning_rate:g}, and its plateau begins again"
        )


def begun(run_dir: Path) -> Begun | None:
    """Return where a run began, None if it began by itself."""
    noted = files.read_json(run_dir / "environment.json").get(ORIGIN)
    try:
        return TypeAdapter(Begun).validate_python(noted)
    except ValidationError:
        return None


def check_epochs(run_dir: Path, config: Config) -> None:
    """Raise InputError if a run has done more epochs than its recipe has now."""
    done = max(checkpoint.epochs(run_dir), default=0)
    if config.epochs < done:
        raise InputError(
            f"epochs is {config.epochs}, and the run in {run_dir} has done {done}: "
            f"give {done} or more, or another run_dir"
        )


def _trained_on(run_dir: Path, epoch: int) -> str | None:
    """Return the digest of the data that a checkpoint was trained on, if it is known."""
    return read_manifest(run_dir / checkpoint.FOLDER / str(epoch)).owner.data_sha256


def _read(run_dir: Path, epoch: int, config: Config, *, old: Config, same_data: bool) -> TrainState:
    """Return an epoch's state of another run, whose recipe is old, as the new recipe goes on."""
    if epoch >= config.epochs:
        raise InputError(f"epochs is {config.epochs}, and {run_dir} has done {epoch}: give more")

    like = state_shapes(replace(config, restore_best=old.restore_best))
    found = checkpoint.read(run_dir, epoch, like)
    same_noise = all(getattr(old, name) == getattr(config, name) for name in SAME_VALIDATION)
    is_best = int(found.best_epoch) == epoch and same_noise and same_data
    return restart(found, config, is_best=is_best)


def restart(found: TrainState, config: Config, *, is_best: bool) -> TrainState:
    """Return the state with the recipe's own key, plateau and learning rate.

    is_best: its best loss can be compared with those to come.
    """
    first = first_state(config)
    return found._replace(
        key=first.key,
        plateau=first.plateau,
        drop_epoch=first.drop_epoch,
        best_loss=found.best_loss if is_best else jnp.float32(math.inf),
        best_epoch=found.epoch,
        best_state=restorable(found) if config.restore_best else None,
    )


def _check_origin(origin: Origin, run_dir: Path) -> None:
    """Raise InputError if a run that has begun did not begin from here."""
    began = begun(run_dir)
    if began is None:
        how = "afresh"
    elif began.run == origin.run_dir.name and origin.epoch in ("best", "latest", str(began.epoch)):
        return
    else:
        how = f"from epoch {began.epoch} of {began.run}"
    raise InputError(
        f"{run_dir} holds a run that began {how}: name another run_dir, or leave out resume_from"
    )


def _epoch(origin: Origin) -> int:
    saved = checkpoint.epochs(origin.run_dir)
    if not saved:
        raise InputError(
            f"{origin.run_dir} has no checkpoint to go on from: name another run as resume_from"
        )
    if origin.epoch == "latest":
        return saved[-1]
    if origin.epoch == "best":
        return checkpoint.best_epoch(origin.run_dir)
    if origin.epoch not in map(str, saved):
        have = ", ".join(map(str, saved))
        raise InputError(
            f"resume_epoch is {origin.epoch}: "
            f"give best, latest, or one of {have}, which {origin.run_dir} has"
        )
    return int(origin.epoch)
