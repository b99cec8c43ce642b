"""The training steps of an epoch, compiled for all members: on images in the device's memory, or in the host's."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_parts, compiled_part, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.core.step import state_order, train_batches, train_epoch
from jaxae.devices.sharding import Placement
from jaxae.train.population import varying

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
        for block in np.split(order, range(steps := max(self.programs), order.shape[1], steps), axis=1):
            batches = self.placement.put(self.images[block])
            if losses:
                wait(losses[-1])  # so that no more than two blocks are on the device
            state, loss = self.programs[block.shape[1]](state, self.values, self.placement.put(active), batches)
            losses.append(loss)
        return state, jnp.concatenate(losses, axis=1)


def compile_steps(
    configs: Sequence[Config], images: np.ndarray, *, placement: Placement, on_host: bool = False, block: int = BLOCK_BYTES
) -> OnDevice | FromHost:
    """The steps of recipes that differ in their seeds and in what population.varying allows. images: u8[N, H, W, C].

    on_host leaves the images in the host's memory and sends the device so many bytes of them at once, to the same bits.
    """
    config, count = configs[0], len(configs)
    values = placement.put({name: jnp.array([getattr(c, name) for c in configs]) for name in varying(configs)})
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), state_shapes(config))
    active = jax.ShapeDtypeStruct((count,), bool)
    program = _program(compiled_part(config), count, placement, on_host)
    if not on_host:
        there = placement.put_everywhere(jnp.asarray(images))
        return OnDevice(program.lower(like, values, active, there).compile(), values, there, placement)
    all_steps, batch_bytes = len(images) // config.batch_size, config.batch_size * images[0].nbytes * count
    steps = min(all_steps, max(1, block // batch_bytes))
    shapes = {
        length: jax.ShapeDtypeStruct((count, length, config.batch_size, *images.shape[1:]), np.uint8)
        for length in {steps, all_steps % steps} - {0}
    }
    programs = {length: program.lower(like, values, active, shape).compile() for length, shape in shapes.items()}
    order = _order_program(len(images), config.batch_size, count, placement)
    return FromHost(programs, order, values, images, placement)


@functools.lru_cache
def _program(config: Config, count: int, placement: Placement, on_host: bool) -> Any:
    """The jitted steps; kept, so that JAX compiles once for all runs of one recipe and shape."""

    def steps(state, values, active, images):
        parts = build_parts(config, **values)
        model = parts.model.clone(matmul_dtype=config.matmul_dtype)  # for the steps alone: what is evaluated is float32
        options: Any = {"model": model, "optimizer": parts.optimizer, "average_decay": parts.average_decay}
        options |= {"similarity_weight": config.similarity_weight, "similarity_steps": config.similarity_steps}
        options |= {"noise_factor": config.training_noise, "split_batch": placement.split_batch}
        if on_host:
            trained, losses = train_batches(state, images, **options)
        else:
            trained, losses = train_epoch(state, images, batch_size=config.batch_size, **options)
        return keep_inactive(count, active, trained, state), losses

    mine, shared = placement.by_member, placement.everywhere
    shardings: Any = {"in_shardings": (mine, mine, mine, mine if on_host else shared), "out_shardings": (mine, shared)}
    return jax.jit(placement.over_members(steps, count, shared=0 if on_host else 1), donate_argnums=0, **shardings)


@functools.lru_cache
def _order_program(size: int, batch_size: int, count: int, placement: Placement) -> Callable[[TrainState], jax.Array]:
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
