"""An epoch of all members, compiled once and bound to the data.

Training steps, batch statistics, validation, end. Everything has a member axis, [M, ...].
"""

import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_model, build_parts, compiled_part
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import as_rows, to_unit
from jaxae.core.rng import Stream, derive
from jaxae.core.state import TrainState, end_epoch, model_variables
from jaxae.core.step import ImageErrors, batch_statistics, eval_step
from jaxae.data.dataset import Dataset, sample
from jaxae.data.large import BLOCK, rows_of
from jaxae.switches import as_here
from jaxae.train.feed import FromHost, OnDevice, compile_steps, member_shapes, wait
from jaxae.train.sharding import Placement, keep_inactive

STATISTICS_BATCH = 1000
"""Most images of a batch of the batch statistics."""


class EpochResult(NamedTuple):
    """Arrays [M], which count for the members that took the epoch. Losses are exact means."""

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


class OverBlocks(NamedTuple):
    """A program, and the images in the host's memory that it goes through, block by block."""

    program: Any
    """(state, images [B, H, W, C], number of the block i32[]) → results [M, ...]."""
    images: np.ndarray
    blocks: np.ndarray
    """The indices of each block's images, int[K, B]."""
    placement: Placement

    def __call__(self, state: TrainState) -> list[Any]:
        """Return the results of each block."""
        results: list[Any] = []
        for number, block in enumerate(self.blocks):
            images = self.placement.put_everywhere(rows_of(self.images, block))
            wait(results[-2:-1])  # no more than two blocks are on the device
            results.append(self.program(state, images, np.int32(number)))
        return results

    def compile(self, state: TrainState) -> None:
        """Compile the program ahead of its first call. state: shapes."""
        shape = (self.blocks.shape[1], *self.images.shape[1:])
        images = jax.ShapeDtypeStruct(shape, self.images.dtype, sharding=self.placement.everywhere)
        self.program.lower(state, images, np.int32(0)).compile()


class CompiledEpoch(NamedTuple):
    """An epoch's programs, and what they are bound to."""

    learning_rates: np.ndarray
    steps: OnDevice | FromHost
    statistics: OverBlocks | None
    mean_statistics: Callable[[list[Any]], Any]
    validate: OverBlocks
    end: Callable[..., tuple[TrainState, jax.Array, jax.Array, jax.Array]]

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, EpochResult]:
        """Take an epoch. The old state is donated; a member that is not active keeps its own.

        active: bool[M].
        """
        state, step_losses = self.steps(state, active)
        if self.statistics:
            state = state._replace(batch_stats=self.mean_statistics(self.statistics(state)))

        errors = self.validation_errors(state)
        loss = _mean(errors.loss)
        state, best, epoch, scale = self.end(state, loss.astype(np.float32), active)

        losses = np.asarray(step_losses)
        broken = ~np.isfinite(losses)
        any_broken = broken.any(axis=-1)
        result = EpochResult(
            epoch=np.asarray(epoch),
            train_loss=_mean(losses),
            validation_loss=loss,
            validation_mse=_mean(errors.mse),
            validation_mae=_mean(errors.mae),
            learning_rate=self.learning_rates * np.asarray(scale, np.float64),
            best=np.asarray(best),
            finite=~any_broken & np.isfinite(loss),
            broken_step=np.where(any_broken, broken.argmax(axis=-1) + 1, 0),
        )
        return state, result

    def validation_errors(self, state: TrainState) -> ImageErrors:
        """Return the errors of all validation images, f32[M, N]."""
        blocks = wait(self.validate(state))
        count = len(self.validate.images)  # the last block is filled up
        whole: ImageErrors = jax.tree.map(
            lambda *errors: np.concatenate(errors, axis=-1)[..., :count], *blocks
        )
        return whole


def compile_epoch(
    configs: Sequence[Config],
    dataset: Dataset,
    placement: Placement,
    *,
    neighbours: np.ndarray | None = None,
    on_host: bool = False,
) -> CompiledEpoch:
    """Compile an epoch of members that differ in their seeds and in what population.varying allows.

    neighbours: i32[N, K] of the training images, for a neighbor_weight.
    on_host: leave the training images in the host's memory, for a device that can't hold them.
    """
    images = dataset.train.images
    count = len(configs)
    shared = (compiled_part(configs[0]), count, placement)

    validated = dataset.validation.images
    validate = OverBlocks(
        _validation_program(*shared), validated, _validation_blocks(validated), placement
    )
    end = _end_program(*shared)
    statistics = _bind_statistics(configs, images, placement)

    # All at once. Those but for the steps are found again, compiled, at their first call.
    state = member_shapes(configs, placement)
    loss = jax.ShapeDtypeStruct((count,), np.float32)
    active = jax.ShapeDtypeStruct((count,), bool)
    with ThreadPoolExecutor() as pool:
        ahead = [
            pool.submit(as_here(validate.compile), state),
            pool.submit(as_here(lambda: end.lower(state, loss, active).compile())),
        ]
        if statistics:
            ahead.append(pool.submit(as_here(statistics.compile), state))
        steps = compile_steps(
            configs, images, placement=placement, neighbours=neighbours, on_host=on_host
        )
    for each in ahead:
        each.result()

    return CompiledEpoch(
        learning_rates=np.array([config.learning_rate for config in configs]),
        steps=steps,
        statistics=statistics,
        mean_statistics=_mean_program(placement),
        validate=validate,
        end=end,
    )


def _bind_statistics(
    configs: Sequence[Config], images: np.ndarray, placement: Placement
) -> OverBlocks | None:
    wanted = min(configs[0].statistics_images, len(images))
    if not wanted:
        return None  # the recipe keeps the running ones

    most = max(configs[0].batch_size, BLOCK // images[0].nbytes)
    number = math.ceil(wanted / min(most, STATISTICS_BATCH))
    size = wanted // number  # batches of one size, and nearly all of the images
    batches = sample(len(images), number * size).reshape(number, size)
    program = _statistics_program(compiled_part(configs[0]), len(configs), placement)
    return OverBlocks(program, images, batches, placement)


def _validation_blocks(images: np.ndarray) -> np.ndarray:
    """Return the indices of equal blocks, int[K, B]; the last one is filled up with first images.

    A single block, if the images fit into it, is all of them in their order.
    """
    count = len(images)
    number = math.ceil(images.nbytes / BLOCK)
    size = math.ceil(count / number)
    return np.resize(np.arange(count), (math.ceil(count / size), size))


# The programs below are kept, so that JAX compiles once for all runs of one recipe and shape.


@functools.lru_cache
def _statistics_program(config: Config, count: int, placement: Placement) -> Any:
    """Return the statistics of a batch: (state, u8[B, H, W, C], its number) → BatchNorm's."""
    statistics = functools.partial(
        batch_statistics,
        model=build_model(config),
        noise=config.training_noise,
        split_batch=placement.split_batch,
    )
    members = placement.over_members(statistics, count, shared=2)
    return jax.jit(members, out_shardings=placement.by_member)


@functools.lru_cache
def _mean_program(placement: Placement) -> Callable[[list[Any]], Any]:
    """Return the mean of trees with leaves [M, ...]."""

    def mean(trees: list[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves).mean(axis=0), *trees)

    return jax.jit(mean, out_shardings=placement.by_member)


@functools.lru_cache
def _validation_program(config: Config, count: int, placement: Placement) -> Any:
    """Return the validation: (state, u8[B, H, W, C], the block's number) → errors of each image."""

    def validate(state: TrainState, images: jax.Array, number: jax.Array) -> ImageErrors:
        key = derive(state.key, Stream.VALIDATION, number)  # the same noise in every epoch
        rows = placement.split_batch(as_rows(images))
        noisy = add_gaussian_noise(key, to_unit(rows), std=config.noise_factor)
        return eval_step(model_variables(state), noisy, rows, model=build_model(config))

    members = placement.over_members(validate, count, shared=2)
    return jax.jit(members, out_shardings=placement.everywhere)


@functools.lru_cache
def _end_program(config: Config, count: int, placement: Placement) -> Any:
    """Return the end: (state, loss, active) → the state, is it the best, its epoch and scale."""

    def end(state: TrainState, loss: jax.Array, active: jax.Array) -> tuple[Any, ...]:
        ended, best = end_epoch(state, loss, plateau=build_parts(config).plateau)
        return keep_inactive(count, active, ended, state), best, ended.epoch, state.plateau.scale

    everywhere = placement.everywhere
    shardings: Any = (placement.by_member, everywhere, everywhere, everywhere)
    return jax.jit(placement.over_members(end, count), out_shardings=shardings)


def _mean(values: Any) -> np.ndarray:
    """Return the exact means of the last axis, f64[M]: summed in float64, in one order."""
    return np.asarray(np.mean(values, axis=-1, dtype=np.float64))
