"""How training images reach the device: all at once, or from the host's memory block by block."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.core.state import TrainState
from jaxae.train.sharding import Placement

BLOCK_BYTES = 2**28
"""Images that are sent to the device at once, of all members; two blocks are there at a time."""


class UncompiledSteps(NamedTuple):
    """The jitted steps of an epoch, and their arguments except the images."""

    program: Any
    """The jitted function: (state, swept, active, images) → the state and the losses."""
    state: TrainState
    """Shapes [M, ...]."""
    swept: dict[str, jax.Array]

    def compile(self, images: Any) -> jax.stages.Compiled:
        """Compile the program for images, arrays or shapes."""
        members = jax.tree.leaves(self.state)[0].shape[0]
        active = jax.ShapeDtypeStruct((members,), bool)
        return self.program.lower(self.state, self.swept, active, images).compile()


class OnDevice(NamedTuple):
    """Compiled steps, and all training images in the device's memory."""

    program: jax.stages.Compiled
    swept: dict[str, jax.Array]
    images: jax.Array
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """Return the state after an epoch and the losses, f32[M, steps]. The old one is donated."""
        return self.program(state, self.swept, self.placement.put(active), self.images)


class FromHost(NamedTuple):
    """Compiled steps for blocks of batches, and the training images in the host's memory."""

    programs: dict[int, jax.stages.Compiled]
    """Steps in a block → the program for it."""
    order: Callable[[TrainState], jax.Array]
    """The members' orders of their next epoch, i32[M, steps, batch_size]."""
    swept: dict[str, jax.Array]
    images: np.ndarray
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """Return the state and the losses, the same bits as OnDevice."""
        order = wait(self.order(state))
        block_steps = max(self.programs)
        losses: list[jax.Array] = []

        for start in range(0, order.shape[1], block_steps):
            block = order[:, start : start + block_steps]
            batches = self.placement.put(self.images[block])
            if losses:
                wait(losses[-1])  # no more than two blocks are on the device
            program = self.programs[block.shape[1]]
            state, loss = program(state, self.swept, self.placement.put(active), batches)
            losses.append(loss)

        return state, jnp.concatenate(losses, axis=1)


def keep_on_device(steps: UncompiledSteps, images: np.ndarray, *, placement: Placement) -> OnDevice:
    """Bind steps to images u8[N, H, W, C], which go to every device."""
    there = placement.put_everywhere(jnp.asarray(images))
    return OnDevice(steps.compile(there), steps.swept, there, placement)


def stream_from_host(
    steps: UncompiledSteps,
    images: np.ndarray,
    *,
    placement: Placement,
    batch_size: int,
    block_bytes: int,
    order: Callable[[TrainState], jax.Array],
) -> FromHost:
    """Bind steps to images u8[N, H, W, C] that stay on the host; a device gets blocks of them."""
    members = jax.tree.leaves(steps.state)[0].shape[0]
    all_steps = len(images) // batch_size
    step_bytes = batch_size * images[0].nbytes * members
    block_steps = min(all_steps, max(1, block_bytes // step_bytes))

    sizes = {block_steps}
    rest = all_steps % block_steps
    if rest:
        sizes.add(rest)

    programs = {}
    for count in sizes:
        shape = (members, count, batch_size, *images.shape[1:])
        programs[count] = steps.compile(jax.ShapeDtypeStruct(shape, np.uint8))
    return FromHost(programs, order, steps.swept, images, placement)


def fits_on_device(images: np.ndarray) -> bool:
    """Return whether images take at most half of a device's free memory; on a CPU, always."""
    memory = jax.local_devices()[0].memory_stats() or {}
    room = memory.get("bytes_limit", math.inf) - memory.get("bytes_in_use", 0)
    return images.nbytes <= room / 2


def wait(array: Any) -> np.ndarray:
    """Return the array once it is computed.

    It polls, since Python sees a signal only between its own instructions.
    """
    while not array.is_ready():
        time.sleep(0.002)
    return np.asarray(array)
