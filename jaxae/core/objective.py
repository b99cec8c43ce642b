"""The losses, per image and unreduced, and a term for the map. Images: f32[B, H, W, C]."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.images import check_pair

TINY = 1e-6
"""Keeps the divisions of a map of one point finite."""

NEAR = 0.25
"""Squared distance at which a similarity is a half, as a share of the mean squared distance."""


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


def similarity_mismatch(latents: ArrayLike, images: ArrayLike) -> jax.Array:
    """Return 1 - r, Pearson's r of the similarities of latents and of images over a batch's pairs.

    A similarity is 1 / (1 + d² / (NEAR · mean d²)): Student's t, as on t-SNE's maps (van der Maaten
    & Hinton 2008), in units of the batch's spread, so that a map's scale does not matter.
    0 for a map in proportion, about 1 for one without order. r is close to centred kernel
    alignment (Cortes et al. 2012). f32[B, latent_dim] and f32[B, H, W, C] → f32[].

    >>> pixels = jax.random.uniform(key, (64, 1, 2, 1))
    >>> bool(abs(similarity_mismatch(3 * pixels.reshape(64, 2), pixels)) < 1e-5)
    True
    """
    on_map = _centred_similarities(latents)
    between_images = _centred_similarities(images)

    squared_norms = jnp.vdot(on_map, on_map) * jnp.vdot(between_images, between_images)
    return 1 - jnp.vdot(on_map, between_images) / jnp.sqrt(squared_norms + TINY)


def _centred_similarities(points: ArrayLike) -> jax.Array:
    """Return pairwise similarities less their mean: f32[B, …] → f32[B (B - 1) / 2]."""
    x = jnp.reshape(points, (jnp.shape(points)[0], -1))
    squares = jnp.sum(jnp.square(x), axis=1)

    # One matrix product gives all distances. Rounding may leave some below 0; a GPU's TF32, more.
    products = jnp.matmul(x, x.T, precision="highest")
    squared = jnp.maximum(squares[:, None] + squares - 2 * products, 0)
    squared = squared[jnp.triu_indices(len(x), k=1)]

    similarities = 1 / (1 + squared / (NEAR * jnp.mean(squared) + TINY))
    return similarities - jnp.mean(similarities)
