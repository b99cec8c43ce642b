import jax
import jax.numpy as jnp
import numpy as np

from jaxae.core.objective import reconstruction_loss


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
