import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from jaxae import baselines
from jaxae.baselines import apply_affine, fit_affine
from jaxae.data import load
from jaxae.errors import InputError
from jaxae.evaluate import corrupt
from jaxae.metrics import ssim
from jaxae.step import to_unit


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Correlated images of 4×3 pixels, and what noise made of them."""
    rng = np.random.default_rng(0)
    clean = (rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) / 5).reshape(300, 4, 3).astype(np.float32)
    return (clean + 0.3 * rng.normal(size=clean.shape)).astype(np.float32), clean


def test_rank_0_is_the_mean_image(pair):
    noisy, clean = pair
    np.testing.assert_allclose(apply_affine(fit_affine(noisy, clean, rank=0), noisy)[7], clean.mean(axis=0), atol=1e-6)


def test_full_rank_is_linear_regression(pair, monkeypatch):
    monkeypatch.setattr(baselines, "CHUNK", 70)
    noisy, clean = pair
    expected = LinearRegression().fit(noisy.reshape(300, 12), clean.reshape(300, 12)).predict(noisy.reshape(300, 12))
    np.testing.assert_allclose(apply_affine(fit_affine(noisy, clean), noisy).reshape(300, 12), expected, atol=1e-5)


def test_clean_to_clean_is_pca(pair):
    _, clean = pair
    flat = clean.reshape(300, 12)
    pca = PCA(2).fit(flat)
    expected = pca.inverse_transform(pca.transform(flat))
    np.testing.assert_allclose(apply_affine(fit_affine(clean, clean, rank=2), clean).reshape(300, 12), expected, atol=1e-5)


def test_no_map_of_the_same_rank_is_better(pair):
    """Nor is the fitted one's rank higher than asked."""
    noisy, clean = pair
    best = fit_affine(noisy, clean, rank=2)
    assert np.linalg.matrix_rank(best.matrix) == 2
    error = np.square(apply_affine(best, noisy) - clean).mean()
    rng = np.random.default_rng(1)
    u, s, v = np.linalg.svd(best.matrix)
    for _ in range(20):
        left, right = u[:, :2] + 0.03 * rng.normal(size=(12, 2)), v[:2] + 0.03 * rng.normal(size=(2, 12))
        other = best._replace(matrix=left * s[:2] @ right)
        assert np.square(apply_affine(other, noisy) - clean).mean() > error


def test_shapes_that_differ_are_named(pair):
    with pytest.raises(InputError):
        fit_affine(pair[0], pair[1][:5])
    for rank in (-1, 13):
        with pytest.raises(InputError, match=f"rank is {rank}"):
            fit_affine(*pair, rank=rank)


# σ: do nothing, full-rank linear, best rank-2 linear, each as MSE and SSIM of the first 2,000 images (computed independently).
ANCHORS = {
    0.25: ((0.03819, 0.468), (0.00974, 0.664), (0.04581, 0.261)),
    0.60: ((0.14793, 0.211), (0.02132, 0.496), (0.04661, 0.258)),
}


@pytest.mark.parametrize("std", ANCHORS)
def test_the_rivals_have_the_errors_that_others_have_computed(std, real_files, tmp_path):
    """One draw of the noise against another: clipped to [0, 1]: MSE within 0.4 %, SSIM within 0.002."""
    data = load("fashion_mnist", data_dir=tmp_path, manual_dir=real_files)
    train, test = to_unit(data.train.images), to_unit(data.test.images)
    noisy = corrupt(test, std=std)
    noisy_train = np.clip(train + std * np.random.default_rng(0).standard_normal(train.shape, np.float32), 0, 1)
    linear = [apply_affine(fit_affine(noisy_train, train, rank=rank), noisy) for rank in (None, 2)]
    outputs = [noisy, *(np.clip(output, 0, 1) for output in linear)]
    for output, (error, similarity) in zip(outputs, ANCHORS[std], strict=True):
        np.testing.assert_allclose(np.square(output - test).mean(dtype=np.float64), error, rtol=4e-3)
        np.testing.assert_allclose(ssim(output[:2000], test[:2000]).mean(), similarity, atol=2e-3)
