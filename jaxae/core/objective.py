"""The losses, per image and unreduced. Images: f32[B, H, W, C]."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.images import check_pair


def reconstruction_loss(reconstruction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Return mean (r - t)² + mean |r - t| over an image: f32[B, H, W, C] twice → f32[B].

    Raises InputError for two shapes, or others.

    >>> reconstruction_loss(jnp.full((3, 28, 28, 1), 0.5), jnp.zeros((3, 28, 28, 1))).tolist()
    [0.75, 0.75, 0.75]
    """
    check_pair(reconstruction, target)
    error = jnp.subtract(reconstruction, target)
    return jnp.mean(jnp.square(error) + jnp.abs(error), axis=(-3, -2, -1))


def mse(output: ArrayLike, target: ArrayLike) -> jax.Array:
    """Return the mean squared error over an image's values: f32[B, H, W, C] twice → f32[B].

    Raises InputError for two shapes, or others.

    >>> mse(jnp.full((3, 28, 28, 1), 0.5), jnp.zeros((3, 28, 28, 1))).tolist()
    [0.25, 0.25, 0.25]
    """
    check_pair(output, target)
    return jnp.mean(jnp.square(jnp.subtract(output, target)), axis=(-3, -2, -1))


def mae(output: ArrayLike, target: ArrayLike) -> jax.Array:
    """Return the mean absolute error over an image's values: f32[B, H, W, C] twice → f32[B].

    Raises InputError for two shapes, or others.

    >>> mae(jnp.full((3, 28, 28, 1), 0.5), jnp.zeros((3, 28, 28, 1))).tolist()
    [0.5, 0.5, 0.5]
    """
    check_pair(output, target)
    return jnp.mean(jnp.abs(jnp.subtract(output, target)), axis=(-3, -2, -1))
