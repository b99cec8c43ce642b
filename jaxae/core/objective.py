"""The training objective."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.images import check_pair


def reconstruction_loss(reconstruction: ArrayLike, target: ArrayLike) -> jax.Array:
    """mean (r - t)² + mean |r - t| over an image's values. f32[B, H, W, C] twice → f32[B], unreduced. Raises InputError."""
    check_pair(reconstruction, target)
    error = jnp.subtract(reconstruction, target)
    return jnp.mean(jnp.square(error) + jnp.abs(error), axis=(-3, -2, -1))
