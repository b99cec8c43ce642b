"""fit: the only loop. It jits the steps once, saves each epoch, and reports."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae import checkpoint, rundir
from jaxae.config import Config
from jaxae.corruption import add_gaussian_noise
from jaxae.data import Dataset
from jaxae.environment import describe_environment
from jaxae.errors import InputError
from jaxae.rng import Stream, derive, root_key
from jaxae.state import TrainState, build_parts, init_state, model_variables
from jaxae.step import end_epoch, eval_step, to_unit, train_epoch

Report = Callable[[str], None]


def fit(config: Config, dataset: Dataset, run_dir: Path, *, overwrite: bool = False, report: Report = print) -> TrainState:
    """Trains to the end, resuming what the directory holds, and returns the last state. Raises InputError.

    config.dataset must name the dataset. Every epoch is on disk before its line is reported, so an interruption at any
    moment loses the running epoch at most.
    """
    if config.batch_size > len(dataset.train.images):
        raise InputError(
            f"batch_size is {config.batch_size}, but there are {len(dataset.train.images)} training images: take fewer"
        )
    rundir.open_run(run_dir, config, overwrite=overwrite)
    parts = build_parts(config)
    fresh = jax.jit(functools.partial(init_state, parts=parts))
    key = root_key(config.seed, impl=config.prng_impl)
    state = checkpoint.load_latest(run_dir, jax.eval_shape(fresh, key)) or fresh(key)
    rundir.rewind_metrics(run_dir, int(state.epoch))
    rundir.write_json(run_dir / "environment.json", describe_environment(config.data_title, dataset.digest))
    if finished(state, config):
        report(f"{run_dir} is finished: epoch {state.epoch}, best epoch {state.best_epoch}. --overwrite trains it again.")
        return state
    report(f"{'Resuming after epoch ' + str(state.epoch) if state.epoch else 'Training'} in {run_dir}")

    images, validation = jnp.asarray(dataset.train.images), jnp.asarray(dataset.validation.images)
    noise_key = derive(key, Stream.VALIDATION)
    noisy = jax.jit(lambda u8: add_gaussian_noise(noise_key, to_unit(u8), std=config.noise_factor))(validation)
    train = jax.jit(
        functools.partial(
            train_epoch,
            batch_size=config.batch_size,
            model=parts.model,
            optimizer=parts.optimizer,
            noise_factor=config.noise_factor,
        ),
        donate_argnums=0,
    )
    validate = jax.jit(functools.partial(eval_step, model=parts.model))
    end = jax.jit(functools.partial(end_epoch, plateau=parts.plateau))
    per_epoch = len(images) // config.batch_size * config.batch_size
    started, first = time.perf_counter(), int(state.epoch)

    while not finished(state, config):
        epoch_started = time.perf_counter()
        scale = float(state.plateau.scale)
        state, train_loss = train(state, images)
        train_loss = float(_wait(train_loss))
        speed = per_epoch / (time.perf_counter() - epoch_started)
        losses = {name: _mean(values) for name, values in validate(model_variables(state), noisy, validation).items()}
        if not np.isfinite([train_loss, losses["loss"]]).all():
            raise InputError(
                f"The loss became {train_loss} in epoch {int(state.epoch) + 1}: epoch {state.epoch} and the best are "
                f"kept in {run_dir}; try a lower --learning-rate than {config.learning_rate} in another --run-dir"
            )
        state, best = end(state, jnp.float32(losses["loss"]))
        seconds = (time.perf_counter() - started) / (int(state.epoch) - first)
        row = {
            "data": config.data_title,
            "epoch": int(state.epoch),
            "step": int(state.step),
            "train_loss": train_loss,
            "validation_loss": losses["loss"],
            "validation_mse": losses["mse"],
            "validation_mae": losses["mae"],
            "learning_rate": config.learning_rate * scale,
            "best": bool(best),
            "images_per_s": round(speed),
            "seconds_left": round(seconds * (config.epochs - int(state.epoch))),
        }
        rundir.append_metrics(run_dir, row)  # before the checkpoint: a row too many is cut on resuming, a lost one is lost
        checkpoint.save(run_dir, state, validation_loss=losses["loss"])
        report(progress_line(row, config.epochs))
    report(f"Finished after epoch {state.epoch}; best epoch {state.best_epoch}, validation loss {state.best_loss:.5f}.")
    return state


def finished(state: TrainState, config: Config) -> bool:
    """All epochs done, or the learning rate at its floor and no new best for early_stop_patience epochs."""
    at_floor = float(state.plateau.scale) <= float(np.float32(config.min_scale))
    stale = int(state.epoch) - int(state.best_epoch) >= config.early_stop_patience
    return int(state.epoch) >= config.epochs or (at_floor and stale)


def progress_line(row: dict[str, Any], epochs: int) -> str:
    """A row of metrics.jsonl for the screen; * marks a new best."""
    minutes, seconds = divmod(row["seconds_left"], 60)
    return (
        f"epoch {row['epoch']:3d}/{epochs}  train {row['train_loss']:.5f}  validation {row['validation_loss']:.5f}"
        f" {'*' if row['best'] else ' '}  lr {row['learning_rate']:.1e}  {row['images_per_s']:6,d} images/s"
        f"  at most {minutes}:{seconds:02d} left"
    )


def _mean(values: jax.Array) -> float:
    """The exact mean over a split: summed in float64, in one order."""
    return float(np.mean(_wait(values), dtype=np.float64))


def _wait(array: jax.Array) -> np.ndarray:
    """The array once it is computed. Python sees a signal only between its own instructions, hence the polling."""
    while not array.is_ready():
        time.sleep(0.002)
    return np.asarray(array)
