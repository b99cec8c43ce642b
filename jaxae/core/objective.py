"""The training objective, and what a recipe may add to it for the map."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.images import check_pair

TINY = 1e-6
"""Added to what may be 0 for a map of one point, before it divides."""
NEAR = 0.25
"""Where a similarity is a half, as a share of the mean squared distance: pairs nearer than that are what counts."""


def reconstruction_loss(reconstruction: ArrayLike, target: ArrayLike) -> jax.Array:
    """mean (r - t)² + mean |r - t| over an image's values. f32[B, H, W, C] twice → f32[B], unreduced. Raises InputError."""
    check_pair(reconstruction, target)
    error = jnp.subtract(reconstruction, target)
    return jnp.mean(jnp.square(error) + jnp.abs(error), axis=(-3, -2, -1))


def similarity_mismatch(latents: ArrayLike, images: ArrayLike) -> jax.Array:
    """1 - r, r being Pearson's correlation of the similarities on the map with those between the images, over a batch's pairs.

    A similarity is 1 / (1 + d² / (NEAR · mean d²)): Student's t, as on t-SNE's maps (van der Maaten & Hinton 2008), in units of
    the batch's spread, so that a map's scale does not matter. r is much like centred kernel alignment (Cortes et al. 2012).
    0 for a map in proportion, about 1 for one without order. f32[B, latent_dim] and f32[B, H, W, C] → f32[].
    """
    on_map, between = (
        _similarities(jnp.reshape(x, (jnp.shape(x)[0], -1))) for x in (latents, images)
    )
    on_map, between = on_map - jnp.mean(on_map), between - jnp.mean(between)
    norms = jnp.sqrt(jnp.vdot(on_map, on_map) * jnp.vdot(between, between) + TINY)
    return 1 - jnp.vdot(on_map, between) / norms


def _similarities(x: jax.Array) -> jax.Array:
    """Student's t similarity of each pair of rows; one matrix product gives the distances. f32[B, n] → f32[B (B - 1) / 2]."""
    squares = jnp.sum(jnp.square(x), axis=1)
    squared = jnp.maximum(squares[:, None] + squares - 2 * x @ x.T, 0)[
        jnp.triu_indices(len(x), k=1)
    ]
    return 1 / (1 + squared / (NEAR * jnp.mean(squared) + TINY))


def mse(output: ArrayLike, target: ArrayLike) -> jax.Array:
    """Mean squared error over an image's values."""
    check_pair(output, target)
    return jnp.mean(jnp.square(jnp.subtract(output, target)), axis=(-3, -2, -1))


def mae(output: ArrayLike, target: ArrayLike) -> jax.Array:
    """Mean absolute error over an image's values."""
    check_pair(output, target)
    return jnp.mean(jnp.abs(jnp.subtract(output, target)), axis=(-3, -2, -1))
