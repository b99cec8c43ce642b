"""What is done to clean images before the encoder sees them. Images are float32 in [0, 1], in and out."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.rng import Stream, derive

Noise = float | tuple[float, float]
"""A standard deviation, or two between which each image's is drawn."""


def add_gaussian_noise(key: jax.Array, images: ArrayLike, *, std: ArrayLike) -> jax.Array:
    """Adds N(0, std²) noise and clips to [0, 1], which makes its error less than std². images: f32[...] in [0, 1]."""
    return jnp.clip(images + std * jax.random.normal(key, jnp.shape(images)), 0.0, 1.0)


def add_training_noise(
    root: jax.Array, stream: Stream, counter: ArrayLike, clean: jax.Array, noise: Noise
) -> jax.Array:
    """Gaussian noise as a recipe trains on it, clipped to [0, 1]. root: the run's root key; clean: f32[B, H, W, C]."""
    key = derive(root, stream, counter)
    if not isinstance(noise, tuple):
        return add_gaussian_noise(key, clean, std=noise)
    level_key = derive(derive(root, Stream.NOISE_LEVEL, stream), stream, counter)
    std = jax.random.uniform(level_key, (len(clean), 1, 1, 1), minval=noise[0], maxval=noise[1])
    return add_gaussian_noise(key, clean, std=std)


def add_noise_to_each(keys: jax.Array, images: ArrayLike, *, std: ArrayLike) -> jax.Array:
    """add_gaussian_noise with a key for each image: keys[N], images f32[N, ...]."""
    return jax.vmap(functools.partial(add_gaussian_noise, std=std))(keys, jnp.asarray(images))


def salt_and_pepper(key: jax.Array, images: ArrayLike, *, fraction: ArrayLike) -> jax.Array:
    """Turns this fraction of the pixels, in [0, 1], to black or white, half and half. images: f32[...]; key is consumed."""
    u = jax.random.uniform(key, jnp.shape(images))
    return jnp.where(u < fraction / 2, 0.0, jnp.where(u < fraction, 1.0, images))


def mask_pixels(key: jax.Array, images: ArrayLike, *, fraction: ArrayLike) -> jax.Array:
    """Turns this fraction of the pixels, in [0, 1], to black. images: f32[...] in [0, 1]; key is consumed."""
    return jnp.where(jax.random.uniform(key, jnp.shape(images)) < fraction, 0.0, images)


def poisson_noise(key: jax.Array, images: ArrayLike, *, photons: ArrayLike) -> jax.Array:
    """Counts photons, on average this many (> 0) in a white pixel; clips to [0, 1]. key: a threefry one, consumed."""
    return jnp.clip(jax.random.poisson(key, jnp.asarray(images) * photons) / photons, 0.0, 1.0)
