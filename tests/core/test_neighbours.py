import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.neighbors import NearestNeighbors

from jaxae.core.neighbours import NEAR, draw_neighbours, nearest_neighbours, neighbour_contrast
from jaxae.core.rng import root_key

contrast = jax.jit(neighbour_contrast)


def test_neighbours_are_scikit_learns_in_order_over_several_blocks():
    images = np.random.default_rng(0).integers(0, 256, (2100, 5, 6, 1), np.uint8)
    rows = images.reshape(len(images), -1).astype(np.float64)
    _, expected = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(rows).kneighbors()
    found = nearest_neighbours(images, count=8)
    distances = [
        np.linalg.norm(rows[:, None] - rows[each], axis=-1) for each in (found, expected)
    ]  # at one distance either may come first
    np.testing.assert_allclose(*distances)
    assert (found != np.arange(2100)[:, None]).all()


def test_few_images_have_all_others_as_neighbours():
    images = np.array([0, 200, 10, 50], np.uint8).reshape(4, 1, 1, 1)
    assert nearest_neighbours(images, count=3).tolist() == [
        [2, 3, 1],
        [3, 2, 0],
        [0, 3, 1],
        [2, 0, 1],
    ]


def test_the_density_of_a_drawn_rank_is_one_over_it():
    """P(rank <= r) = log(r + 1) / log(K + 1): that of 1/x between 1 and K + 1."""
    ranks = jnp.tile(jnp.arange(1, 201), (3, 1))
    drawn = np.asarray(draw_neighbours(root_key(0), ranks, jnp.full((100, 1000), 2)))
    assert (drawn.min(), drawn.max()) == (1, 200)
    for rank in (1, 3, 13, 60, 150):
        expected = np.log(rank + 1) / np.log(201)
        assert np.mean(drawn <= rank) == pytest.approx(expected, abs=0.01)


def test_a_neighbour_is_one_of_its_own_images():
    neighbours = jnp.array([[1, 2], [2, 0], [0, 1]])
    chosen = np.array([[0, 1], [2, 2]])
    drawn = np.asarray(draw_neighbours(root_key(0), neighbours, jnp.asarray(chosen)))
    assert all(d in neighbours[c] for d, c in zip(drawn.flat, chosen.flat, strict=True))


def test_the_contrast_is_a_cross_entropy_of_students_t():
    latents = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    squared = np.square(latents[:, None] - latents).sum(axis=-1)
    logits = -np.log1p(squared / (NEAR * squared.mean()))
    np.fill_diagonal(logits, -np.inf)
    mates = np.roll(np.arange(10), 5)
    chance = -np.log(9)
    expected = -log_softmax(logits, axis=1)[np.arange(10), mates].mean() + chance
    assert float(contrast(latents)) == pytest.approx(expected, rel=1e-5)
    assert float(contrast(100 * latents + 5)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("scale", [0, 1e-3, 1e8])
def test_the_contrasts_gradient_is_finite_for_points_that_coincide_or_are_far_apart(scale):
    latents = scale * np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    value, gradient = jax.jit(jax.value_and_grad(contrast))(latents)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
