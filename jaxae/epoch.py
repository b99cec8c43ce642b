"""The steps of an epoch, compiled once and bound to the data: train, take the batch statistics, validate, end."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.config import Config
from jaxae.corruption import add_gaussian_noise
from jaxae.data import Dataset
from jaxae.errors import InputError
from jaxae.rng import Stream, derive, root_key
from jaxae.state import Parts, TrainState, model_variables
from jaxae.step import batch_statistics, end_epoch, eval_step, to_unit, train_epoch

STATISTICS_BATCH = 1000


def bind_epoch(
    config: Config, parts: Parts, dataset: Dataset, like: TrainState
) -> Callable[[TrainState], tuple[TrainState, dict[str, float | bool]]]:
    """The steps bound to the data: state → the next epoch's state and its losses. like: the state, as arrays or shapes."""
    images, validation = jnp.asarray(dataset.train.images), jnp.asarray(dataset.validation.images)
    train = compile_epoch(config, parts, like, images)
    count = min(config.statistics_images, len(images))
    size = min(STATISTICS_BATCH, count)
    for_statistics = images[: count // size * size].reshape(-1, size, *images.shape[1:]) if count else None
    statistics = jax.jit(functools.partial(batch_statistics, model=parts.model, noise_factor=config.training_noise))
    noise_key = derive(root_key(config.seed, impl=config.prng_impl), Stream.VALIDATION)  # the same noise in every epoch

    @jax.jit
    def validate(variables, images):
        noisy = add_gaussian_noise(noise_key, to_unit(images), std=config.noise_factor)
        return eval_step(variables, noisy, images, model=parts.model)

    end = jax.jit(functools.partial(end_epoch, plateau=parts.plateau))

    def run_epoch(state: TrainState) -> tuple[TrainState, dict[str, float | bool]]:
        learning_rate = config.learning_rate * float(state.plateau.scale)
        state, step_losses = train(state, images)
        if for_statistics is not None:
            state = state._replace(batch_stats=statistics(state, for_statistics))
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
    bound = functools.partial(train_epoch, model=parts.model, optimizer=parts.optimizer, average_decay=parts.average_decay)
    epoch = functools.partial(bound, batch_size=config.batch_size, noise_factor=config.training_noise)
    return jax.jit(epoch, donate_argnums=0).lower(like, images).compile()


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
