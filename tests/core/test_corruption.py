import jax
import numpy as np
import pytest
from scipy import stats

from jaxae.core.corruption import add_gaussian_noise, mask_pixels, poisson_noise, salt_and_pepper


def test_what_is_added_is_normal_with_the_asked_deviation():
    grey = np.full((64, 28, 28, 1), 0.5, np.float32)
    noise = np.asarray(add_gaussian_noise(jax.random.key(0), grey, std=0.1)).ravel() - 0.5
    inside = np.abs(noise) < 0.5  # 0.5 is five deviations: nothing is clipped that a test would see
    assert inside.mean() > 0.999
    assert stats.kstest(noise / 0.1, "norm").pvalue > 1e-3


def test_stays_in_the_unit_interval_and_clips_as_numpy_does():
    images = np.random.default_rng(0).random((16, 28, 28, 1), np.float32)
    key = jax.random.key(1)
    expected = np.clip(
        images + np.float32(2.0) * np.asarray(jax.random.normal(key, images.shape)), 0, 1
    )
    noisy = np.asarray(add_gaussian_noise(key, images, std=2.0))
    np.testing.assert_allclose(noisy, expected, atol=1e-6)
    assert noisy.min() == 0
    assert noisy.max() == 1


def test_no_noise_changes_nothing():
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    assert (np.asarray(add_gaussian_noise(jax.random.key(0), images, std=0.0)) == images).all()


@pytest.mark.parametrize("shape", [(0, 28, 28, 1), (1, 28, 28, 1), (3, 784)])
def test_any_shape(shape):
    assert (
        add_gaussian_noise(jax.random.key(0), np.zeros(shape, np.float32), std=0.25).shape == shape
    )


def test_salt_and_pepper_hits_the_asked_fraction_half_black_half_white():
    grey = np.full((40, 28, 28, 1), 0.5, np.float32)
    hit = np.asarray(salt_and_pepper(jax.random.key(0), grey, fraction=0.3))
    values, counts = np.unique(hit, return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    assert stats.chisquare(counts, grey.size * np.array([0.15, 0.7, 0.15])).pvalue > 1e-3


def test_masking_blackens_the_asked_fraction_alone():
    images = np.random.default_rng(0).uniform(0.1, 1, (40, 28, 28, 1)).astype(np.float32)
    masked = np.asarray(mask_pixels(jax.random.key(0), images, fraction=0.3))
    assert stats.binomtest(int((masked == 0).sum()), images.size, 0.3).pvalue > 1e-3
    assert (masked[masked > 0] == images[masked > 0]).all()


def test_poisson_noise_counts_photons():
    images = np.full((40, 28, 28, 1), 0.3, np.float32)
    counts = np.asarray(poisson_noise(jax.random.key(0), images, photons=20)).ravel() * 20
    np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
    low, high = counts.round() < 4, counts.round() > 9  # of Poisson(6)
    for tail, expected in ((low, stats.poisson(6).cdf(3)), (high, stats.poisson(6).sf(9))):
        assert stats.binomtest(int(tail.sum()), counts.size, expected).pvalue > 1e-3
    assert np.asarray(poisson_noise(jax.random.key(1), images, photons=0.5)).max() == 1


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_the_extremes_of_a_fraction(fraction):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (4, 28, 28, 1)).astype(np.float32)
    assert (
        np.asarray(mask_pixels(jax.random.key(0), images, fraction=fraction))
        == images * (1 - fraction)
    ).all()
    assert (
        np.isin(np.asarray(salt_and_pepper(jax.random.key(0), images, fraction=fraction)), [0, 1])
    ).all() == bool(fraction)
