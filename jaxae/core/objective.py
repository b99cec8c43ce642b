"""The training objective, and what a recipe may add to it for the map."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxae.core.images import check_pair

TINY = 1e-6
"""Below this a squared distance is rounding, and the slope of its root would be infinite at 0."""


def reconstruction_loss(reconstruction: ArrayLike, target: ArrayLike) -> jax.Array:
    """mean (r - t)² + mean |r - t| over an image's values. f32[B, H, W, C] twice → f32[B], unreduced. Raises InputError."""
    check_pair(reconstruction, target)
    error = jnp.subtract(reconstruction, target)
    return jnp.mean(jnp.square(error) + jnp.abs(error), axis=(-3, -2, -1))


def distance_mismatch(latents: ArrayLike, images: ArrayLike) -> jax.Array:
    """1 - r, where r is Pearson's correlation of the distances on the map with those between the images, over a batch's pairs.

    That of a Shepard diagram (Shepard 1962): 0 for a map in proportion, 1 for one without order, whatever its scale.
    f32[B, latent_dim] and f32[B, H, W, C] → f32[].
    """
    on_map, between = (_distances(jnp.reshape(x, (jnp.shape(x)[0], -1))) for x in (latents, images))
    on_map, between = on_map - jnp.mean(on_map), between - jnp.mean(between)
    norms = jnp.sqrt(jnp.vdot(on_map, on_map) * jnp.vdot(between, between) + TINY)
    return 1 - jnp.vdot(on_map, between) / norms


def _distances(x: jax.Array) -> jax.Array:
    """Euclidean distances of all pairs of rows, by one matrix product. f32[B, n] → f32[B (B - 1) / 2]."""
    squares = jnp.sum(jnp.square(x), axis=1)
    distances = jnp.sqrt(jnp.maximum(squares[:, None] + squares - 2 * x @ x.T, TINY))
    return distances[jnp.triu_indices(len(x), k=1)]
