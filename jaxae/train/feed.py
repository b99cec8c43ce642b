"""The training steps of an epoch, and how images reach the device: all at once, or by blocks."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_step, compiled_part, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.core.step import epoch_steps, state_order, train_batches, train_epoch
from jaxae.data import large
from jaxae.train.population import varying
from jaxae.train.sharding import Placement, keep_inactive

T = TypeVar("T")

BLOCK_BYTES = 2**26
"""Images that are sent to the device at once, of all members; two blocks are there at a time."""


class TrainingImages(NamedTuple):
    """The training images, and their neighbours for a recipe that has the neighbour term."""

    images: Any
    """u8[N, H, W, C]."""
    neighbours: Any = None
    """i32[N, K]."""


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
    images: TrainingImages
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """Return the state after an epoch and the losses, f32[M, steps]. The old one is donated."""
        return self.program(state, self.swept, self.placement.put(active), self.images)


class FromHost(NamedTuple):
    """Compiled steps for blocks of batches, and the training images in the host's memory."""

    sizes: list[int]
    """The steps in each block."""
    programs: dict[int, jax.stages.Compiled]
    """Steps in a block → the program for it."""
    order: Callable[[TrainState], jax.Array]
    """The members' orders of their next epoch, i32[M, steps, batch_size]."""
    swept: dict[str, jax.Array]
    images: np.ndarray
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """Return the state and the losses, the same bits as OnDevice."""
        order = np.asarray(wait(self.order(state)))
        losses: list[jax.Array] = []

        for block in np.split(order, np.cumsum(self.sizes)[:-1], axis=1):
            batches = self.placement.put_rows(self.images, block)
            if losses:
                wait(losses[-1])  # no more than two blocks are on the device
            program = self.programs[block.shape[1]]
            state, loss = program(state, self.swept, self.placement.put(active), batches)
            losses.append(loss)

        return state, jnp.concatenate(losses, axis=1)


def compile_steps(
    configs: Sequence[Config],
    images: np.ndarray,
    *,
    placement: Placement,
    neighbours: np.ndarray | None = None,
    on_host: bool = False,
    block_bytes: int = BLOCK_BYTES,
) -> OnDevice | FromHost:
    """Compile the training steps of an epoch. images: u8[N, H, W, C]; neighbours: i32[N, K]."""
    config, count = configs[0], len(configs)
    swept = placement.put(
        {name: jnp.array([getattr(c, name) for c in configs]) for name in varying(configs)}
    )
    program = _steps_program(compiled_part(config), count, placement, on_host)
    steps = UncompiledSteps(program, member_shapes(configs, placement), swept)

    if neighbours is not None:
        neighbours = placement.put_everywhere(jnp.asarray(neighbours))
    if not on_host:
        return keep_on_device(steps, TrainingImages(images, neighbours), placement=placement)
    order = _order_program(len(images), config.batch_size, count, placement)
    return stream_from_host(
        steps,
        images,
        placement=placement,
        batch_size=config.batch_size,
        block_bytes=block_bytes,
        order=lambda state: order(state, neighbours),
    )


def member_shapes(configs: Sequence[Config], placement: Placement) -> TrainState:
    """Return the state of all members as shapes and dtypes alone, [M, ...]."""

    def of_members(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        shape = (len(configs), *leaf.shape)
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=placement.by_member)

    return jax.tree.map(of_members, state_shapes(configs[0]))


def keep_on_device(
    steps: UncompiledSteps, training: TrainingImages, *, placement: Placement
) -> OnDevice:
    """Bind steps to the training images, which go to every device."""
    there = training._replace(images=placement.put_everywhere(jnp.asarray(training.images)))
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
    all_steps = epoch_steps(len(images), batch_size=batch_size)
    step_bytes = batch_size * images[0].nbytes * members
    sizes = block_sizes(all_steps, max(1, block_bytes // step_bytes))

    programs = {}
    for count in set(sizes):
        shape = (members, count, batch_size, *images.shape[1:])
        programs[count] = steps.compile(jax.ShapeDtypeStruct(shape, images.dtype))
    return FromHost(sizes, programs, order, steps.swept, images, placement)


def block_sizes(steps: int, most: int) -> list[int]:
    """Return the steps in each block of an epoch: as many as `most`, and the rest in the last.

    Never one alone, since XLA compiles that as no loop, and rounds otherwise: 16 or more steps
    come in blocks of at least two.
    """
    sizes = [max(most, 2)] * (steps // max(most, 2))
    rest = steps - sum(sizes)
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def fits_on_device(images: np.ndarray) -> bool:
    """Return whether images take at most half of a device's free memory.

    On a CPU that would be a second copy in the same memory: there those are too large that nothing
    copies.
    """
    memory = jax.local_devices()[0].memory_stats()
    if memory is None:
        return images.nbytes < large.LARGE
    return images.nbytes <= (memory["bytes_limit"] - memory["bytes_in_use"]) / 2


def wait(tree: T) -> T:
    """Return a tree of arrays once they are computed.

    It polls, since Python sees a signal only between its own instructions.
    """
    for array in jax.tree.leaves(tree):
        while not array.is_ready():
            time.sleep(0.002)
    return tree


# Programs are kept, so that JAX compiles once for all runs of one recipe and shape.


@functools.lru_cache
def _steps_program(config: Config, count: int, placement: Placement, on_host: bool) -> Any:
    """Return the steps: (state, which is donated, swept, active, images) → state and losses."""

    def member_steps(
        state: TrainState, swept: Any, active: Any, images: Any
    ) -> tuple[TrainState, Any]:
        options = build_step(config, swept=swept, split_batch=placement.split_batch)
        if on_host:
            trained, losses = train_batches(state, images, options=options)
        else:
            trained, losses = train_epoch(
                state,
                images.images,
                batch_size=config.batch_size,
                options=options,
                neighbours=images.neighbours,
            )
        return keep_inactive(count, active, trained, state), losses

    by_member, everywhere = placement.by_member, placement.everywhere
    of_images = placement.by_batch if on_host else everywhere
    shardings: dict[str, Any] = {
        "in_shardings": (by_member, by_member, by_member, of_images),
        "out_shardings": (by_member, everywhere),
    }
    members = placement.over_members(member_steps, count, shared=0 if on_host else 1)
    return jax.jit(members, donate_argnums=0, **shardings)


@functools.lru_cache
def _order_program(size: int, batch_size: int, count: int, placement: Placement) -> Any:
    """Return the orders: (state, neighbours or None) → those of the next epoch, i32[M, S, B]."""

    def order(state: TrainState, neighbours: jax.Array | None) -> jax.Array:
        return state_order(state, size, batch_size=batch_size, neighbours=neighbours)

    members = placement.over_members(order, count, shared=1)
    return jax.jit(members, out_shardings=placement.everywhere)
