"""The training objective."""

import jax
import jax.numpy as jnp


def reconstruction_loss(reconstruction: jax.Array, target: jax.Array) -> jax.Array:
    """mean (r - t)² + mean |r - t| over an image's pixels. f32[B, 28, 28] twice → f32[B], unreduced."""
    error = reconstruction - target
    return jnp.mean(jnp.square(error) + jnp.abs(error), axis=(-2, -1))
