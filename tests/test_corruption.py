import jax
import numpy as np
import pytest
from scipy import stats

from jaxae.corruption import add_gaussian_noise


def test_what_is_added_is_normal_with_the_asked_deviation():
    grey = np.full((64, 28, 28), 0.5, np.float32)
    noise = np.asarray(add_gaussian_noise(jax.random.key(0), grey, std=0.1)).ravel() - 0.5
    inside = np.abs(noise) < 0.5  # 0.5 is five deviations: nothing is clipped that a test would see
    assert inside.mean() > 0.999
    assert stats.kstest(noise / 0.1, "norm").pvalue > 1e-3


def test_stays_in_the_unit_interval_and_clips_as_numpy_does():
    images = np.random.default_rng(0).random((16, 28, 28), np.float32)
    key = jax.random.key(1)
    expected = np.clip(images + np.float32(2.0) * np.asarray(jax.random.normal(key, images.shape)), 0, 1)
    noisy = np.asarray(add_gaussian_noise(key, images, std=2.0))
    np.testing.assert_allclose(noisy, expected, atol=1e-6)
    assert noisy.min() == 0
    assert noisy.max() == 1


def test_no_noise_changes_nothing():
    images = np.random.default_rng(0).random((4, 28, 28), np.float32)
    assert (np.asarray(add_gaussian_noise(jax.random.key(0), images, std=0.0)) == images).all()


@pytest.mark.parametrize("shape", [(0, 28, 28), (1, 28, 28), (3, 784)])
def test_any_shape(shape):
    assert add_gaussian_noise(jax.random.key(0), np.zeros(shape, np.float32), std=0.25).shape == shape
