"""The nearest neighbours of images, and a term beside the loss that keeps them near on the map."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

FEWEST, MOST = 15, 200
"""Neighbours of an image that may be drawn: a hundredth of the images, within these bounds."""

NEAR = 0.001
"""Squared distance at which a similarity is a half, as a share of the mean squared distance."""

TINY = 1e-6
"""Keeps the division finite for a map of one point."""

ROWS = 1000
"""Images whose distances to all others are in memory at a time."""


def neighbour_count(images: int) -> int:
    """Return how many neighbours of an image may be drawn, of this many images.

    >>> [neighbour_count(images) for images in (10, 1_000, 5_000, 55_000)]
    [9, 15, 50, 200]
    """
    return min(max(images // 100, FEWEST), MOST, images - 1)


def nearest_neighbours(images: np.ndarray, *, count: int) -> np.ndarray:
    """Return each image's nearest others, the nearest first: [N, ...] → i32[N, count].

    Exact, by Euclidean distance between pixels. count: less than N. Time O(N²), memory O(N).

    >>> nearest_neighbours(np.array([[0.0], [1.0], [5.0]]), count=2).tolist()
    [[1, 2], [0, 2], [1, 0]]
    """
    points = images.reshape(len(images), -1).astype(np.float32)
    points -= points.mean(axis=0)  # so that the differences of squares lose fewer digits
    squares = np.einsum("nd,nd->n", points, points)
    nearest = np.empty((len(points), count), np.int32)

    for start in range(0, len(points), ROWS):
        rows = slice(start, start + ROWS)
        # |x - y|² less |x|², which is the same for all y
        distances = squares - 2 * (points[rows] @ points.T)
        own = np.arange(len(distances))
        distances[own, start + own] = np.inf

        found = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, found, axis=1), axis=1, kind="stable")
        nearest[rows] = np.take_along_axis(found, order, axis=1)

    return nearest


def draw_neighbours(key: jax.Array, neighbours: jax.Array, chosen: jax.Array) -> jax.Array:
    """Return a neighbour of each chosen image, i32[...]. neighbours: i32[N, K]; chosen: i32[...].

    The density of its rank is about 1 / rank: as many of the first ten as of the next ninety.

    >>> neighbours = jnp.array([[1, 2], [0, 2], [1, 0]])
    >>> draw_neighbours(key, neighbours, jnp.array([0, 2])).shape
    (2,)
    """
    most = neighbours.shape[1]
    rank = jnp.exp(jax.random.uniform(key, chosen.shape, maxval=jnp.log(most + 1.0)))
    return neighbours[chosen, jnp.clip(rank.astype(jnp.int32) - 1, 0, most - 1)]


def neighbour_contrast(latents: ArrayLike) -> jax.Array:
    """Return how badly the map tells each image's neighbour from the batch's others, f32[].

    latents: f32[B, d]; the neighbour of row i is row i ± B/2. InfoNCE (van den Oord et al. 2018):
    the mean of log Σ s(i, j) / (B - 1) - log s(i, neighbour), over all j but i, with the similarity
    of t-SNE's maps, Student's t (van der Maaten & Hinton 2008), in units of the batch's spread, so
    that a map's scale does not matter: s = 1 / (1 + d² / (NEAR · mean d²)). Damrich et al. 2022,
    "From t-SNE to UMAP with contrastive learning", say why that gives such a map; Sainburg et al.
    2021, "Parametric UMAP", train an encoder on a term of this kind. 0 for a map of one point, and
    less for a better map.

    >>> pairs = jnp.array([[0.0, 0.0], [9.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    >>> bool(neighbour_contrast(pairs) < neighbour_contrast(0 * pairs))
    True
    """
    points = jnp.asarray(latents)
    count = len(points)
    squared = jnp.sum(jnp.square(points[:, None] - points), axis=-1)
    similarity = -jnp.log1p(squared / (NEAR * jnp.mean(squared) + TINY))

    own = jnp.arange(count)
    neighbour = (own + count // 2) % count
    others = jax.nn.logsumexp(similarity.at[own, own].set(-jnp.inf), axis=1)
    return jnp.mean(others - jnp.log(count - 1.0) - similarity[own, neighbour])
