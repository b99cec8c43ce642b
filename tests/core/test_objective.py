import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, t

from jaxae.core.objective import reconstruction_loss
from jaxae.core.objective import similarity_mismatch as mismatch

# Jitted: operation by operation takes a second.
similarity_mismatch = jax.jit(mismatch)
value_and_gradient = jax.jit(jax.value_and_grad(mismatch))


def test_mse_plus_l1_of_each_image():
    rng = np.random.default_rng(0)
    output, target = rng.random((2, 5, 28, 28, 1))
    expected = [
        np.mean((o - t) ** 2) + np.mean(np.abs(o - t)) for o, t in zip(output, target, strict=True)
    ]
    np.testing.assert_allclose(reconstruction_loss(output, target), expected, rtol=1e-5)


def test_zero_for_equal_images_and_two_for_opposite_ones():
    zeros, ones = jnp.zeros((1, 28, 28, 1)), jnp.ones((1, 28, 28, 1))
    assert reconstruction_loss(ones, ones) == 0
    assert reconstruction_loss(zeros, ones) == 2


def test_gradient_is_finite_where_the_error_is_zero():
    ones = jnp.ones((2, 28, 28, 1))
    assert jnp.isfinite(
        jax.grad(lambda output: reconstruction_loss(output, ones).sum())(ones)
    ).all()


def test_similarity_mismatch_is_one_minus_the_correlation_of_students_t():
    rng = np.random.default_rng(0)
    images, latents = rng.random((40, 6, 5, 1)), rng.normal(size=(40, 2))
    squares = [pdist(rows, "sqeuclidean") for rows in (latents, images.reshape(40, -1))]
    expected = (
        1
        - pearsonr(*(t(df=1).pdf(np.sqrt(each / each.mean() / 0.25)) for each in squares)).statistic
    )
    np.testing.assert_allclose(similarity_mismatch(latents, images), expected, rtol=1e-4)


def test_similarity_mismatch_of_a_map_in_proportion_is_zero_and_of_a_shuffled_one_about_one():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(200, 2)).astype(np.float32)
    axes = np.linalg.qr(rng.normal(size=(12, 2)))[0]
    images = (
        (latents @ axes.T).reshape(200, 3, 4, 1).astype(np.float32)
    )  # a plane in the space of images
    np.testing.assert_allclose(similarity_mismatch(1e3 * latents + 5, images), 0, atol=1e-4)
    np.testing.assert_allclose(similarity_mismatch(rng.permutation(latents), images), 1, atol=0.1)


@pytest.mark.parametrize("place", [1, 1e3])
def test_similarity_mismatch_of_one_point_has_a_finite_gradient(place):
    images = np.random.default_rng(0).random((4, 2, 2, 1))
    value, gradient = value_and_gradient(place * jnp.ones((4, 2)), images)
    assert value == 1
    assert jnp.isfinite(gradient).all()
