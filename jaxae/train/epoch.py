"""An epoch, compiled once and bound to the data: training steps, batch statistics, validation, end."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_model, build_parts, compiled_part, state_shapes
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import as_rows, to_unit
from jaxae.core.rng import Stream, derive
from jaxae.core.state import TrainState, end_epoch, model_variables
from jaxae.core.step import batch_statistics, eval_step, state_order, train_batches, train_epoch
from jaxae.data.dataset import Dataset
from jaxae.train.population import varying
from jaxae.train.sharding import Placement

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
    train = compile_steps(
        configs, images, placement=placement, on_host=on_host or not fits_on_device(images)
    )
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
            learning_rate=np.array([c.learning_rate for c in configs])
            * np.asarray(scale, np.float64),
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


def _statistics(
    configs: Sequence[Config], images: np.ndarray, placement: Placement
) -> Callable[[TrainState], TrainState]:
    """The state with batch statistics taken anew from training images; without a change where the recipe keeps running ones."""
    if not (count := min(configs[0].statistics_images, len(images))):
        return lambda state: state
    size = count // -(
        -count // STATISTICS_BATCH
    )  # batches of one size, and nearly all of the images
    batches = placement.put_everywhere(
        jnp.asarray(images[: count // size * size].reshape(-1, size, *images.shape[1:]))
    )
    program = _statistics_program(compiled_part(configs[0]), len(configs), placement)
    return lambda state: state._replace(batch_stats=program(state, batches))


@functools.lru_cache  # these programs are kept, so that JAX compiles once for all runs of one recipe and shape
def _statistics_program(config: Config, count: int, placement: Placement) -> Callable[..., Any]:
    bound = functools.partial(
        batch_statistics, model=build_model(config), noise_factor=config.training_noise
    )
    mapped = placement.over_members(
        functools.partial(bound, split_batch=placement.split_batch), count, shared=1
    )
    return jax.jit(mapped, out_shardings=placement.by_member)


@functools.lru_cache
def _validation_program(
    config: Config, count: int, placement: Placement
) -> Callable[..., dict[str, Any]]:
    """(state, images) → loss, MSE and MAE of each, f32[M, N], under noise that is the same in every epoch."""

    def validate(state, images):
        key, images = derive(state.key, Stream.VALIDATION), placement.split_batch(as_rows(images))
        noisy = add_gaussian_noise(key, to_unit(images), std=config.noise_factor)
        return eval_step(model_variables(state), noisy, images, model=build_model(config))

    return jax.jit(
        placement.over_members(validate, count, shared=1), out_shardings=placement.everywhere
    )


@functools.lru_cache
def _end_program(
    config: Config, count: int, placement: Placement
) -> Callable[..., tuple[TrainState, Any, Any, Any]]:
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


BLOCK_BYTES = 2**28
"""Images that are sent to the device at once, of all members; two such blocks are there at a time."""


class OnDevice(NamedTuple):
    """core.step.train_epoch of all members as a program, and what it is bound to."""

    program: jax.stages.Compiled
    values: dict[str, jax.Array]
    images: jax.Array
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """(state [M, ...], active: bool[M]) → the state after an epoch, the losses f32[M, steps]; state is donated."""
        return self.program(state, self.values, self.placement.put(active), self.images)


class FromHost(NamedTuple):
    """core.step.train_batches of all members, as programs for blocks of so many steps, and what they are bound to."""

    programs: dict[int, jax.stages.Compiled]
    order: Callable[[TrainState], jax.Array]
    values: dict[str, jax.Array]
    images: np.ndarray
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """As OnDevice, and to the same bits."""
        order, losses = wait(self.order(state)), list[jax.Array]()
        for block in np.split(
            order, range(steps := max(self.programs), order.shape[1], steps), axis=1
        ):
            batches = self.placement.put(self.images[block])
            if losses:
                wait(losses[-1])  # so that no more than two blocks are on the device
            state, loss = self.programs[block.shape[1]](
                state, self.values, self.placement.put(active), batches
            )
            losses.append(loss)
        return state, jnp.concatenate(losses, axis=1)


def compile_steps(
    configs: Sequence[Config],
    images: np.ndarray,
    *,
    placement: Placement,
    on_host: bool = False,
    block: int = BLOCK_BYTES,
) -> OnDevice | FromHost:
    """The steps of recipes that differ in their seeds and in what population.varying allows. images: u8[N, H, W, C].

    on_host leaves the images in the host's memory and sends the device so many bytes of them at once, to the same bits.
    """
    config, count = configs[0], len(configs)
    values = placement.put(
        {name: jnp.array([getattr(c, name) for c in configs]) for name in varying(configs)}
    )
    like = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), state_shapes(config)
    )
    active = jax.ShapeDtypeStruct((count,), bool)
    program = _program(compiled_part(config), count, placement, on_host)
    if not on_host:
        there = placement.put_everywhere(jnp.asarray(images))
        return OnDevice(
            program.lower(like, values, active, there).compile(), values, there, placement
        )
    all_steps, batch_bytes = (
        len(images) // config.batch_size,
        config.batch_size * images[0].nbytes * count,
    )
    steps = min(all_steps, max(1, block // batch_bytes))
    shapes = {
        length: jax.ShapeDtypeStruct(
            (count, length, config.batch_size, *images.shape[1:]), np.uint8
        )
        for length in {steps, all_steps % steps} - {0}
    }
    programs = {
        length: program.lower(like, values, active, shape).compile()
        for length, shape in shapes.items()
    }
    order = _order_program(len(images), config.batch_size, count, placement)
    return FromHost(programs, order, values, images, placement)


@functools.lru_cache
def _program(config: Config, count: int, placement: Placement, on_host: bool) -> Any:
    """The jitted steps; kept, so that JAX compiles once for all runs of one recipe and shape."""

    def steps(state, values, active, images):
        parts = build_parts(config, **values)
        model = parts.model.clone(
            matmul_dtype=config.matmul_dtype
        )  # for the steps alone: what is evaluated is float32
        options: Any = {
            "model": model,
            "optimizer": parts.optimizer,
            "average_decay": parts.average_decay,
        }
        options |= {
            "similarity_weight": config.similarity_weight,
            "similarity_steps": config.similarity_steps,
        }
        options |= {"noise_factor": config.training_noise, "split_batch": placement.split_batch}
        if on_host:
            trained, losses = train_batches(state, images, **options)
        else:
            trained, losses = train_epoch(state, images, batch_size=config.batch_size, **options)
        return keep_inactive(count, active, trained, state), losses

    mine, shared = placement.by_member, placement.everywhere
    shardings: Any = {
        "in_shardings": (mine, mine, mine, mine if on_host else shared),
        "out_shardings": (mine, shared),
    }
    return jax.jit(
        placement.over_members(steps, count, shared=0 if on_host else 1),
        donate_argnums=0,
        **shardings,
    )


@functools.lru_cache
def _order_program(
    size: int, batch_size: int, count: int, placement: Placement
) -> Callable[[TrainState], jax.Array]:
    """The members' orders of the epoch that they are about to take, i32[M, steps, batch_size]."""
    order = functools.partial(state_order, size=size, batch_size=batch_size)
    return jax.jit(placement.over_members(order, count), out_shardings=placement.everywhere)


def keep_inactive(count: int, active: jax.Array, new: TrainState, old: TrainState) -> TrainState:
    """The new state where a member is active. One member alone always is: selecting would cost a copy of the state."""
    return jax.tree.map(functools.partial(jnp.where, active), new, old) if count > 1 else new


def wait(array: Any) -> np.ndarray:
    """The array once it is computed. Python sees a signal only between its own instructions, hence the polling."""
    while not array.is_ready():
        time.sleep(0.002)
    return np.asarray(array)
