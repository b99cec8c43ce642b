"""fit: the only loop. It jits the steps once, saves each epoch, and reports."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae import checkpoint, history, rundir
from jaxae.config import Config
from jaxae.corruption import add_gaussian_noise
from jaxae.data import Dataset, check_data
from jaxae.environment import changes, describe_environment
from jaxae.errors import InputError, Report
from jaxae.rng import Stream, derive, root_key
from jaxae.state import Parts, TrainState, build_parts, init_state, model_variables
from jaxae.step import end_epoch, eval_step, to_unit, train_epoch


def fit(config: Config, dataset: Dataset, run_dir: Path, *, overwrite: bool = False, report: Report = print) -> TrainState:
    """Trains to the end, resuming what the directory holds, and returns the last state. Raises InputError.

    config.dataset must name the dataset. Every epoch is on disk before its line is reported, so an interruption at any
    moment loses the running epoch at most.
    """
    check_data(config, dataset)
    size = len(dataset.train.images)
    if config.batch_size > size:
        raise InputError(f"batch_size is {config.batch_size}, but there are {size} training images: take fewer")
    with rundir.open_run(run_dir, config, overwrite=overwrite):
        environment = describe_environment(config.data_title, dataset.digest)
        changed = changes(rundir.read_json(run_dir / "environment.json"), environment)
        parts = build_parts(config)
        fresh = jax.jit(functools.partial(init_state, root_key(config.seed, impl=config.prng_impl), parts=parts))
        like = jax.eval_shape(fresh)
        saved_state = checkpoint.load_latest(run_dir, like, report=report)
        first = saved = int(saved_state.epoch) if saved_state else 0
        if saved_state and finished(saved_state, config):
            report(f"{run_dir} is finished: epoch {first}, best epoch {saved_state.best_epoch}. --overwrite trains it again.")
            return saved_state
        report(f"Resuming after epoch {first} in {run_dir}" if first else f"Training in {run_dir}")
        for line in changed + history.rewind(run_dir, first):
            report(line)
        rundir.write_json(run_dir / "environment.json", environment)
        try:
            # In a thread, so that a signal need not wait for the compiler, and the state is drawn meanwhile: a second won.
            compiling = ThreadPoolExecutor(1).submit(bind_epoch, config, parts, dataset, like)
            state = saved_state or fresh()
            run_epoch = compiling.result()
            report(f"Compiled for {jax.devices()[0].device_kind}: {size // config.batch_size} steps an epoch")
            started = time.perf_counter()
            while not finished(state, config):
                epoch_started = time.perf_counter()
                state, losses = run_epoch(state)
                now, epoch = time.perf_counter(), int(state.epoch)
                row = {
                    "data": config.data_title,
                    "epoch": epoch,
                    "step": int(state.step),
                    **losses,
                    "images_per_s": round(size // config.batch_size * config.batch_size / (now - epoch_started)),
                    "seconds_left": round((now - started) / (epoch - first) * (config.epochs - epoch)),
                }
                history.append(run_dir, row)  # before the checkpoint: a row too many is cut when the run resumes
                checkpoint.save(run_dir, state)
                saved = epoch
                report(history.progress_line(row, config.epochs))
        except KeyboardInterrupt:
            report(f"Interrupted: epoch {saved} is saved in {run_dir}. Start the same command again to go on from there.")
            raise
    report(f"Finished after epoch {saved}; best epoch {state.best_epoch}, validation loss {state.best_loss:.5f}.")
    return state


def bind_epoch(
    config: Config, parts: Parts, dataset: Dataset, like: TrainState
) -> Callable[[TrainState], tuple[TrainState, dict[str, float | bool]]]:
    """The steps bound to the data: state → the next epoch's state and its losses. like: the state, as arrays or shapes."""
    images, validation = jnp.asarray(dataset.train.images), jnp.asarray(dataset.validation.images)
    train = compile_epoch(config, parts, like, images)
    noise_key = derive(root_key(config.seed, impl=config.prng_impl), Stream.VALIDATION)  # the same noise in every epoch

    @jax.jit
    def validate(variables, images):
        noisy = add_gaussian_noise(noise_key, to_unit(images), std=config.noise_factor)
        return eval_step(variables, noisy, images, model=parts.model)

    end = jax.jit(functools.partial(end_epoch, plateau=parts.plateau))

    def run_epoch(state: TrainState) -> tuple[TrainState, dict[str, float | bool]]:
        learning_rate = config.learning_rate * float(state.plateau.scale)
        state, step_losses = train(state, images)
        per_image = validate(model_variables(state), validation)
        means = {name: _mean(values) for name, values in per_image.items()}
        _check_finite(np.asarray(step_losses), means["loss"], int(state.epoch) + 1, config.learning_rate)
        state, best = end(state, jnp.float32(means["loss"]))
        return state, {
            "train_loss": _mean(step_losses),
            **{f"validation_{name}": mean for name, mean in means.items()},
            "learning_rate": learning_rate,
            "best": bool(best),
        }

    return run_epoch


def compile_epoch(config: Config, parts: Parts, like: TrainState, images: jax.Array) -> jax.stages.Compiled:
    """train_epoch, compiled: (state, images) → (state, losses), with the old state donated. like: as arrays or shapes.

    Here, rather than at the first call, so that fit can say when the wait is over.
    """
    bound = functools.partial(train_epoch, model=parts.model, optimizer=parts.optimizer)
    epoch = functools.partial(bound, batch_size=config.batch_size, noise_factor=config.noise_factor)
    return jax.jit(epoch, donate_argnums=0).lower(like, images).compile()


def finished(state: TrainState, config: Config) -> bool:
    """All epochs done, or the learning rate at its floor and no new best for early_stop_patience epochs."""
    at_floor = float(state.plateau.scale) <= float(np.float32(config.min_scale))
    stale = int(state.epoch) - int(state.best_epoch) >= config.early_stop_patience
    return int(state.epoch) >= config.epochs or (at_floor and stale)


def _check_finite(step_losses: np.ndarray, validation_loss: float, epoch: int, learning_rate: float) -> None:
    if np.isfinite(step_losses).all() and np.isfinite(validation_loss):
        return
    broken = np.flatnonzero(~np.isfinite(step_losses))
    where = f"at step {broken[0] + 1} of epoch {epoch}" if len(broken) else f"in the validation of epoch {epoch}"
    raise InputError(
        f"The loss is no longer a finite number {where}. Epoch {epoch - 1} is the last good checkpoint, and the best stays "
        f"the best; to go on, train in another --run-dir with a lower --learning-rate than {learning_rate:g}"
    )


def _mean(values: jax.Array) -> float:
    """The exact mean: summed in float64, in one order."""
    return float(np.mean(_wait(values), dtype=np.float64))


def _wait(array: Any) -> np.ndarray:
    """The array once it is computed. Python sees a signal only between its own instructions, hence the polling."""
    while not array.is_ready():
        time.sleep(0.002)
    return np.asarray(array)
