"""The training steps of an epoch, compiled for all members."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_parts, compiled_part, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, stack_members
from jaxae.core.step import train_epoch
from jaxae.train.population import varying
from jaxae.train.sharding import Placement


class Steps(NamedTuple):
    """core.step.train_epoch of all members as a program, and what it is bound to."""

    program: jax.stages.Compiled
    values: dict[str, jax.Array]
    images: jax.Array
    placement: Placement

    def __call__(self, state: TrainState, active: np.ndarray) -> tuple[TrainState, jax.Array]:
        """(state [M, ...], active: bool[M]) → the state after an epoch, the losses f32[M, steps]; state is donated."""
        return self.program(state, self.values, self.placement.put(active), self.images)


def compile_steps(configs: Sequence[Config], images: jax.Array, *, placement: Placement) -> Steps:
    """The steps of recipes that differ in their seeds and in what population.varying allows. images: u8[N, H, W, C]."""
    config, count = configs[0], len(configs)
    values = placement.put({name: jnp.array([getattr(c, name) for c in configs]) for name in varying(configs)})
    like = jax.eval_shape(stack_members, [state_shapes(config)] * count)
    active = jax.ShapeDtypeStruct((count,), bool)
    program = _program(compiled_part(config), count, placement)
    return Steps(program.lower(like, values, active, images).compile(), values, images, placement)


@functools.lru_cache
def _program(config: Config, count: int, placement: Placement) -> Any:
    """The jitted steps; kept, so that JAX compiles once for all runs of one recipe and shape."""

    def steps(state, values, active, images):
        parts = build_parts(config, **values)
        bound = functools.partial(train_epoch, model=parts.model, optimizer=parts.optimizer, noise_factor=config.training_noise)
        bound = functools.partial(bound, batch_size=config.batch_size, average_decay=parts.average_decay)
        trained, losses = bound(state, images, split_batch=placement.split_batch)
        return keep_inactive(count, active, trained, state), losses

    mine, shared = placement.by_member, placement.everywhere
    shardings: Any = {"in_shardings": (mine, mine, mine, shared), "out_shardings": (mine, shared)}
    return jax.jit(placement.over_members(steps, count, shared=1), donate_argnums=0, **shardings)


def keep_inactive(count: int, active: jax.Array, new: TrainState, old: TrainState) -> TrainState:
    """The new state where a member is active. One member alone always is: selecting would cost a copy of the state."""
    return jax.tree.map(functools.partial(jnp.where, active), new, old) if count > 1 else new
