"""Training steps as a program to be timed: the one that `jaxae train` runs."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import first_state
from jaxae.config import Config
from jaxae.core.rng import root_key
from jaxae.train.feed import compile_steps
from jaxae.train.population import recipes
from jaxae.train.sharding import Placement


class Stepper:
    """The steps of an epoch, compiled, and the state that they go on from.

    Arguments:
        config: The recipe.
        images: Training images, u8[N, H, W, C].
        members: Models in one program. All begin with the same weights: to draw those of a
            thousand would take longer than to time them.
        placement: The devices; by default one.
    """

    def __init__(
        self,
        config: Config,
        images: np.ndarray,
        *,
        members: int = 1,
        placement: Placement | None = None,
    ) -> None:
        placement = placement or Placement()
        configs = recipes(config, seeds=members)
        self.program = compile_steps(configs, images, placement=placement)
        self.active = np.ones(members, bool)

        state = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), first_state(config)
        )
        keys = jnp.stack([root_key(each.seed) for each in configs])
        self.state = placement.put(state._replace(key=keys))

    def lap(self) -> float:
        """Take the steps of an epoch. Return seconds a step."""
        began = time.perf_counter()
        self.state, losses = self.program(self.state, self.active)
        losses.block_until_ready()
        return (time.perf_counter() - began) / losses.shape[1]
