"""What is done to clean images before the encoder sees them. Images are float32 in [0, 1], in and out."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def add_gaussian_noise(key: jax.Array, images: ArrayLike, *, std: ArrayLike) -> jax.Array:
    """Adds N(0, std²) noise and clips to [0, 1]. images: f32[...] in [0, 1]; key is consumed."""
    return jnp.clip(images + std * jax.random.normal(key, jnp.shape(images)), 0.0, 1.0)
