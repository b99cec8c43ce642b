"""Noise for clean images. Images are float32 in [0, 1], before and after. Use each key once."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.rng import Stream, derive

Noise = float | tuple[float, float]
"""A standard deviation, or two between which each image's is drawn."""


def add_gaussian_noise(key: jax.Array, images: ArrayLike, *, std: ArrayLike) -> jax.Array:
    """Add N(0, std²) noise and clip to [0, 1]. images: f32[...].

    Clipping makes the mean squared error less than std².

    >>> noisy = add_gaussian_noise(key, jnp.zeros((8, 28, 28, 1)), std=0.25)
    >>> noisy.shape, f"{jnp.square(noisy).mean():.2f}, not {0.25**2}"
    ((8, 28, 28, 1), '0.03, not 0.0625')
    """
    return jnp.clip(images + std * jax.random.normal(key, jnp.shape(images)), 0.0, 1.0)


def add_training_noise(
    root: jax.Array, stream: Stream, counter: ArrayLike, clean: jax.Array, noise: Noise
) -> jax.Array:
    """Add a recipe's noise and clip to [0, 1]. root: the run's root key; clean: f32[B, H, W, C].

    counter: i32[], the step. noise: a standard deviation, or two between which that of each image
    is drawn, for pixels in [0, 1].

    >>> noisy = add_training_noise(state.key, Stream.NOISE, 0, images / 255, (0.0, 0.4))
    >>> noisy.shape
    (256, 28, 28, 1)
    """
    key = derive(root, stream, counter)
    if not isinstance(noise, tuple):
        return add_gaussian_noise(key, clean, std=noise)

    # A key of its own for the levels: they do not depend on the pixels' noise.
    low, high = noise
    level_key = derive(derive(root, Stream.NOISE_LEVEL, stream), stream, counter)
    std = jax.random.uniform(level_key, (len(clean), 1, 1, 1), minval=low, maxval=high)
    return add_gaussian_noise(key, clean, std=std)


def add_noise_to_each(keys: jax.Array, images: ArrayLike, *, std: ArrayLike) -> jax.Array:
    """Add Gaussian noise with a key for each image: keys[N], f32[N, ...] → f32[N, ...]."""
    return jax.vmap(functools.partial(add_gaussian_noise, std=std))(keys, jnp.asarray(images))


def salt_and_pepper(key: jax.Array, images: ArrayLike, *, fraction: ArrayLike) -> jax.Array:
    """Turn this fraction of the pixels black or white, half and half. images: f32[...].

    >>> np.unique(salt_and_pepper(key, jnp.full((9, 9), 0.5), fraction=0.5)).tolist()
    [0.0, 0.5, 1.0]
    """
    u = jax.random.uniform(key, jnp.shape(images))
    return jnp.where(u < fraction / 2, 0.0, jnp.where(u < fraction, 1.0, images))


def mask_pixels(key: jax.Array, images: ArrayLike, *, fraction: ArrayLike) -> jax.Array:
    """Turn this fraction of the pixels black. images: f32[...]."""
    u = jax.random.uniform(key, jnp.shape(images))
    return jnp.where(u < fraction, 0.0, images)


def poisson_noise(key: jax.Array, images: ArrayLike, *, photons: ArrayLike) -> jax.Array:
    """Count photons and clip to [0, 1]. photons: mean count in a white pixel, > 0."""
    return jnp.clip(jax.random.poisson(key, jnp.asarray(images) * photons) / photons, 0.0, 1.0)
