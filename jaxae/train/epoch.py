"""An epoch, compiled once and bound to the data: training steps, batch statistics, validation, end."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_model, build_parts, compiled_part
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import as_rows, to_unit
from jaxae.core.state import TrainState, end_epoch, model_variables
from jaxae.core.step import batch_statistics, eval_step
from jaxae.data.dataset import Dataset
from jaxae.devices.sharding import Placement
from jaxae.rng import Stream, derive
from jaxae.train.steps import compile_steps, keep_inactive, wait

STATISTICS_BATCH = 1000


class EpochResult(NamedTuple):
    """Arrays [M], which count for the members that took the epoch. Losses are means over its steps, or over all images."""

    epoch: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    validation_mse: np.ndarray
    validation_mae: np.ndarray
    learning_rate: np.ndarray
    best: np.ndarray
    """bool: its validation loss is the lowest so far."""
    finite: np.ndarray
    """bool: every loss was a finite number."""
    broken_step: np.ndarray
    """The first step, from 1, whose loss was not finite; 0 where there is none."""


def compile_epoch(
    configs: Sequence[Config], dataset: Dataset, placement: Placement, *, on_host: bool = False
) -> Callable[[TrainState, np.ndarray], tuple[TrainState, EpochResult]]:
    """An epoch of all members: (state [M, ...], active: bool[M]) → the next state and the result; the old state is donated.

    Members differ in their seeds and in what population.varying allows. One that is not active keeps its state.
    on_host leaves the training images in the host's memory, as is done where they do not fit on the device.
    """
    validation = placement.put_everywhere(jnp.asarray(dataset.validation.images))
    images = dataset.train.images
    train = compile_steps(configs, images, placement=placement, on_host=on_host or not fits_on_device(images))
    statistics = _statistics(configs, images, placement)
    shared = compiled_part(configs[0]), len(configs), placement
    validate, end = _validation_program(*shared), _end_program(*shared)

    def run_epoch(state: TrainState, active: np.ndarray) -> tuple[TrainState, EpochResult]:
        state, step_losses = train(state, active)
        state = statistics(state)
        means = {name: _mean(wait(values)) for name, values in validate(state, validation).items()}
        state, best, epoch, scale = end(state, means["loss"].astype(np.float32), active)
        losses = np.asarray(step_losses)
        bad = ~np.isfinite(losses)
        result = EpochResult(
            epoch=np.asarray(epoch),
            train_loss=_mean(losses),
            validation_loss=means["loss"],
            validation_mse=means["mse"],
            validation_mae=means["mae"],
            learning_rate=np.array([c.learning_rate for c in configs]) * np.asarray(scale, np.float64),
            best=np.asarray(best),
            finite=~bad.any(axis=-1) & np.isfinite(means["loss"]),
            broken_step=np.where(bad.any(axis=-1), bad.argmax(axis=-1) + 1, 0),
        )
        return state, result

    return run_epoch


def fits_on_device(images: np.ndarray) -> bool:
    """Whether the images take no more than half of the memory of a device that is free; a CPU's is the host's."""
    memory = jax.local_devices()[0].memory_stats() or {}
    room = memory.get("bytes_limit", math.inf) - memory.get("bytes_in_use", 0)
    return images.nbytes <= room / 2


def _statistics(configs: Sequence[Config], images: np.ndarray, placement: Placement) -> Callable[[TrainState], TrainState]:
    """The state with batch statistics taken anew from training images; without a change where the recipe keeps running ones."""
    if not (count := min(configs[0].statistics_images, len(images))):
        return lambda state: state
    size = count // -(-count // STATISTICS_BATCH)  # batches of one size, and nearly all of the images
    batches = placement.put_everywhere(jnp.asarray(images[: count // size * size].reshape(-1, size, *images.shape[1:])))
    program = _statistics_program(compiled_part(configs[0]), len(configs), placement)
    return lambda state: state._replace(batch_stats=program(state, batches))


@functools.lru_cache  # these programs are kept, so that JAX compiles once for all runs of one recipe and shape
def _statistics_program(config: Config, count: int, placement: Placement) -> Callable[..., Any]:
    bound = functools.partial(batch_statistics, model=build_model(config), noise_factor=config.training_noise)
    mapped = placement.over_members(functools.partial(bound, split_batch=placement.split_batch), count, shared=1)
    return jax.jit(mapped, out_shardings=placement.by_member)


@functools.lru_cache
def _validation_program(config: Config, count: int, placement: Placement) -> Callable[..., dict[str, Any]]:
    """(state, images) → loss, MSE and MAE of each, f32[M, N], under noise that is the same in every epoch."""

    def validate(state, images):
        key, images = derive(state.key, Stream.VALIDATION), placement.split_batch(as_rows(images))
        noisy = add_gaussian_noise(key, to_unit(images), std=config.noise_factor)
        return eval_step(model_variables(state), noisy, images, model=build_model(config))

    return jax.jit(placement.over_members(validate, count, shared=1), out_shardings=placement.everywhere)


@functools.lru_cache
def _end_program(config: Config, count: int, placement: Placement) -> Callable[..., tuple[TrainState, Any, Any, Any]]:
    """(state, validation losses, active) → the ended state, whether it is the best, its epoch, its rate's scale."""

    def end(state, loss, active):
        ended, best = end_epoch(state, loss, plateau=build_parts(config).plateau)
        return keep_inactive(count, active, ended, state), best, ended.epoch, state.plateau.scale

    shared = placement.everywhere
    shardings: Any = {"out_shardings": (placement.by_member, shared, shared, shared)}
    return jax.jit(placement.over_members(end, count), **shardings)


def _mean(values: np.ndarray) -> np.ndarray:
    """The exact means of the last axis, f64[M]: summed in float64, in one order."""
    return np.asarray(np.mean(values, axis=-1, dtype=np.float64))
