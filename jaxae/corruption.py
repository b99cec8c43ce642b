"""What is done to clean images before the encoder sees them. Images are float32 in [0, 1], in and out."""

import jax
import jax.numpy as jnp


def add_gaussian_noise(key: jax.Array, images: jax.Array, *, std: jax.typing.ArrayLike) -> jax.Array:
    """Adds N(0, std²) noise and clips to [0, 1]. images: f32[...] in [0, 1]; key is consumed."""
    return jnp.clip(images + std * jax.random.normal(key, images.shape), 0.0, 1.0)
