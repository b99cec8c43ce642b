from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import KNeighborsClassifier

from jaxae.core.images import to_unit
from jaxae.errors import InputError
from jaxae.evaluation.baselines import apply_affine, fit_pca
from jaxae.evaluation.embedding_quality import geometry, knn_predict, silhouette


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 600 points in ten dimensions, three of them twice; two are their embedding."""
    x, labels = make_blobs(600, 10, centers=4, cluster_std=3.0, random_state=0)
    x[:3] = x[3:6]
    return x, x[:, :2], labels


def distances(a: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(a[:, None] - a[None]).sum(-1))


def mrre(x: np.ndarray, z: np.ndarray, ks: Sequence[int]) -> float:
    """Lee & Verleysen's two errors by their definition; their mean, over every k too."""
    n = len(x)
    ranks = [
        np.argsort(np.argsort(distances(a) - np.eye(n), axis=1, kind="stable"), axis=1)
        for a in (x, z)
    ]
    errors = []
    for k in ks:
        total = 0.0
        for one, other in (ranks, ranks[::-1]):
            near = (one >= 1) & (one <= k)
            total += np.sum(np.abs(one - other)[near] / one[near])
        errors.append(total / (2 * n * sum(abs(2 * j - n - 1) / j for j in range(1, k + 1))))
    return float(np.mean(errors))


def test_trustworthiness_and_continuity_are_scikit_learns(blobs):
    x, z, labels = blobs
    scores = geometry(x, z, labels=labels)
    ks = range(10, 201, 10)
    np.testing.assert_allclose(scores.trust_k5, trustworthiness(x, z, n_neighbors=5), rtol=1e-6)
    np.testing.assert_allclose(
        scores.l_trust, np.mean([trustworthiness(x, z, n_neighbors=k) for k in ks]), rtol=1e-6
    )
    np.testing.assert_allclose(
        scores.l_cont, np.mean([trustworthiness(z, x, n_neighbors=k) for k in ks]), rtol=1e-6
    )


def test_few_points_have_fewer_neighbours(blobs):
    x, z = blobs[0][6:106], blobs[1][6:106]  # no point twice: scikit-learn ranks such as they come
    scores = geometry(x, z, labels=np.zeros(100))
    assert scores.silhouette is None
    for name, (a, b) in {"l_trust": (x, z), "l_cont": (z, x)}.items():
        expected = np.mean([trustworthiness(a, b, n_neighbors=k) for k in (10, 20, 30, 40)])
        np.testing.assert_allclose(getattr(scores, name), expected, rtol=1e-6)
    np.testing.assert_allclose(scores.l_mrre, mrre(x, z, (10, 20, 30, 40)), rtol=1e-6)


def test_mrre_and_divergence_by_their_definitions(blobs):
    x, z, _ = blobs
    scores = geometry(x, z)
    assert scores.silhouette is None
    np.testing.assert_allclose(scores.l_mrre, mrre(x, z, range(10, 201, 10)), rtol=1e-6)
    for sigma, found in ((0.01, scores.kl_0_01), (0.1, scores.kl_0_1), (1.0, scores.kl_1)):
        p, q = (
            np.exp(-((d / d.max()) ** 2) / sigma).sum(axis=1) for d in (distances(x), distances(z))
        )
        expected = np.sum(p / p.sum() * np.log((p / p.sum()) / (q / q.sum())))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_perfect_embedding_has_perfect_scores(blobs):
    x, _, labels = blobs
    scores = geometry(x, 7 * x + 1, labels=labels)
    for name in ("trust_k5", "l_trust", "l_cont"):
        np.testing.assert_allclose(getattr(scores, name), 1)
    for name in ("l_mrre", "kl_0_01", "kl_0_1", "kl_1"):
        np.testing.assert_allclose(getattr(scores, name), 0, atol=1e-12)


def test_scores_have_no_scale(blobs):
    x, z, labels = blobs
    small, large = geometry(x / 1e4, z / 1e3, labels=labels), geometry(x, z, labels=labels)
    assert small == pytest.approx(large, rel=1e-6)


def test_silhouette_is_scikit_learns(blobs):
    z, labels = blobs[1], blobs[2].copy()
    labels[[7, 8, 9]] = [9, 10, 10]  # a class of one, and one of two
    np.testing.assert_allclose(silhouette(z, labels), silhouette_samples(z, labels), atol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_nearest_neighbours_vote_as_scikit_learns(blobs, k):
    _, z, labels = blobs
    expected = KNeighborsClassifier(k).fit(z[50:], labels[50:]).predict(z[:50])
    np.testing.assert_array_equal(knn_predict(z[50:], labels[50:], z[:50], k=k), expected)


@pytest.mark.parametrize(
    ("x", "z", "labels", "message"),
    [
        (np.ones((500, 3)), np.ones((499, 2)), None, "X has 500 points, Z 499"),
        (np.eye(500), np.eye(500), np.zeros(3), "labels 3"),
        (np.eye(20), np.eye(20), None, "20 points"),
        (
            np.eye(500),
            np.where(np.eye(500, 2) + np.eye(500, 2, -7) > 0, np.nan, 1.0),
            None,
            "Z has a value that is not finite, in row 0",
        ),
        (np.eye(500), np.zeros((500, 2)), None, "All points of Z"),
    ],
)
def test_a_mistake_is_named(x, z, labels, message):
    with pytest.raises(InputError, match=message):
        geometry(x, z, labels=labels)


@pytest.mark.slow
def test_pca_has_the_scores_that_others_have_computed(fashion_mnist):
    """PCA-2 of the 60,000 training images, computed independently, to a unit of the last digit."""
    train = [fashion_mnist.train.images, fashion_mnist.validation.images]
    clean = to_unit(fashion_mnist.test.images)
    pca, axes = fit_pca(to_unit(np.concatenate(train)))
    np.testing.assert_allclose(
        np.square(apply_affine(pca, clean) - clean).mean(dtype=np.float64), 0.04609712, atol=2e-6
    )
    scores = geometry(clean, clean.reshape(10_000, 784) @ axes)
    for name, value in {
        "l_cont": 0.96776,
        "l_trust": 0.91676,
        "l_mrre": 0.05743,
        "kl_0_1": 0.05207,
        "trust_k5": 0.91244,
    }.items():
        np.testing.assert_allclose(getattr(scores, name), value, atol=5e-5, err_msg=name)
