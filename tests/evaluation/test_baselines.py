import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from jaxae.core.images import to_unit
from jaxae.errors import InputError
from jaxae.evaluation import baselines
from jaxae.evaluation.baselines import (
    apply_affine,
    denoise_tv,
    fit_affine,
    fit_pca,
    fit_rivals,
    fit_tv,
    moments,
)
from jaxae.evaluation.metrics import ssim
from jaxae.inference import corrupt


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Correlated images of 4×3 pixels, and what noise made of them."""
    rng = np.random.default_rng(0)
    clean = (
        (rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) / 5)
        .reshape(300, 4, 3, 1)
        .astype(np.float32)
    )
    return (clean + 0.3 * rng.normal(size=clean.shape)).astype(np.float32), clean


def test_rank_0_is_the_mean_image(pair):
    noisy, clean = pair
    np.testing.assert_allclose(
        apply_affine(fit_affine(moments(noisy, clean), rank=0), noisy)[7],
        clean.mean(axis=0),
        atol=1e-6,
    )


def test_full_rank_is_linear_regression(pair, monkeypatch):
    monkeypatch.setattr(baselines, "CHUNK", 70)
    noisy, clean = pair
    expected = (
        LinearRegression()
        .fit(noisy.reshape(300, 12), clean.reshape(300, 12))
        .predict(noisy.reshape(300, 12))
    )
    np.testing.assert_allclose(
        apply_affine(fit_affine(moments(noisy, clean)), noisy).reshape(300, 12), expected, atol=1e-5
    )


def test_clean_to_clean_is_pca(pair):
    _, clean = pair
    flat = clean.reshape(300, 12)
    pca = PCA(2).fit(flat)
    expected = pca.inverse_transform(pca.transform(flat))
    np.testing.assert_allclose(
        apply_affine(fit_affine(moments(clean, clean), rank=2), clean).reshape(300, 12),
        expected,
        atol=1e-5,
    )


def test_the_axes_of_pca_are_scikit_learns_in_their_order(pair):
    """But for their signs, which are free."""
    _, clean = pair
    projection, axes = fit_pca(clean)
    pca = PCA(2).fit(clean.reshape(300, 12))
    np.testing.assert_allclose(np.abs(axes.T @ pca.components_.T), np.eye(2), atol=1e-6)
    expected = pca.inverse_transform(pca.transform(clean.reshape(300, 12)))
    np.testing.assert_allclose(
        apply_affine(projection, clean).reshape(300, 12), expected, atol=1e-5
    )


def test_no_map_of_the_same_rank_is_better(pair):
    """Nor is the fitted one's rank higher than asked."""
    noisy, clean = pair
    best = fit_affine(moments(noisy, clean), rank=2)
    assert np.linalg.matrix_rank(best.matrix) == 2
    error = np.square(apply_affine(best, noisy) - clean).mean()
    rng = np.random.default_rng(1)
    u, s, v = np.linalg.svd(best.matrix)
    for _ in range(20):
        left, right = (
            u[:, :2] + 0.03 * rng.normal(size=(12, 2)),
            v[:2] + 0.03 * rng.normal(size=(2, 12)),
        )
        other = best._replace(matrix=left * s[:2] @ right)
        assert np.square(apply_affine(other, noisy) - clean).mean() > error


def test_shapes_that_differ_are_named(pair):
    with pytest.raises(InputError):
        moments(pair[0], pair[1][:5])
    for rank in (-1, 13):
        with pytest.raises(InputError, match=f"rank is {rank}"):
            fit_affine(moments(*pair), rank=rank)


def test_total_variation_keeps_a_flat_image_and_its_weight_is_the_best_of_the_grid():
    flat = np.full((2, 28, 28, 1), 0.4, np.float32)
    np.testing.assert_allclose(denoise_tv(flat, weight=0.2), flat, atol=1e-6)
    clean = np.zeros((6, 28, 28, 1), np.float32)
    clean[:, 8:20, 8:20] = 0.8
    noisy = (clean + 0.2 * np.random.default_rng(0).standard_normal(clean.shape)).astype(np.float32)
    chosen = fit_tv(noisy, clean)
    errors = {
        weight: np.square(denoise_tv(noisy, weight=weight) - clean).mean()
        for weight in (chosen / 3, chosen, chosen * 3)
    }
    assert min(errors, key=errors.__getitem__) == chosen
    assert errors[chosen] < 0.2 * np.square(noisy - clean).mean()


def test_every_rival_is_fitted_and_stays_in_the_unit_interval(monkeypatch):
    monkeypatch.setattr("jaxae.evaluation.baselines.TV_IMAGES", 5)
    rng = np.random.default_rng(0)
    clean = (
        (rng.random((300, 3)) @ rng.random((3, 16)) / 3).reshape(300, 4, 4, 1).astype(np.float32)
    )
    noisy = np.clip(clean + 0.3 * rng.standard_normal(clean.shape), 0, 1).astype(np.float32)
    rivals = fit_rivals(noisy, clean, pca=fit_affine(moments(clean, clean), rank=2))
    errors = {name: np.square(denoise(noisy) - clean).mean() for name, denoise in rivals.items()}
    assert min(denoise(noisy).min() for denoise in rivals.values()) >= 0
    assert max(denoise(noisy).max() for denoise in rivals.values()) <= 1
    assert errors["identity"] == np.square(noisy - clean).mean()
    np.testing.assert_allclose(errors["mean_image"], clean.var(axis=0).mean(), rtol=1e-4)
    assert errors["linear"] <= errors["linear_rank_2"] < errors["pca"] < errors["identity"]


# By σ, each as MSE and SSIM of the first 2,000 images, computed independently:
# do nothing, full-rank linear, best rank-2 linear.
ANCHORS = {
    0.25: ((0.03819, 0.468), (0.00974, 0.664), (0.04581, 0.261)),
    0.60: ((0.14793, 0.211), (0.02132, 0.496), (0.04661, 0.258)),
}


@pytest.mark.slow
@pytest.mark.parametrize("std", ANCHORS)
def test_the_rivals_have_the_errors_that_others_have_computed(std, fashion_mnist):
    """Another draw of the noise: MSE within 0.4 %, SSIM within 0.002."""
    train, test = to_unit(fashion_mnist.train.images), to_unit(fashion_mnist.test.images)
    noisy = corrupt(test, std=std)
    noisy_train = np.clip(
        train + std * np.random.default_rng(0).standard_normal(train.shape, np.float32), 0, 1
    )
    pairs = moments(noisy_train, train)
    linear = [apply_affine(fit_affine(pairs, rank=rank), noisy) for rank in (None, 2)]
    outputs = [noisy, *(np.clip(output, 0, 1) for output in linear)]
    for output, (error, similarity) in zip(outputs, ANCHORS[std], strict=True):
        np.testing.assert_allclose(
            np.square(output - test).mean(dtype=np.float64), error, rtol=4e-3
        )
        np.testing.assert_allclose(ssim(output[:2000], test[:2000]).mean(), similarity, atol=2e-3)
