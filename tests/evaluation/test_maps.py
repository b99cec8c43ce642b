import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from jaxae.data.synthetic import CLASS_NAMES
from jaxae.errors import InputError
from jaxae.evaluation.maps import (
    drift_of_noise,
    evenness,
    local_error,
    plane_of,
    quantile_grid,
    regular_grid,
)
from jaxae.evaluation.reconstruction import by_class, per_image
from jaxae.inference import Run, corrupt, decode, encode, reconstruct
from tests.helpers import untrained_run


@pytest.fixture(scope="module")
def run() -> Run:
    """Return an untrained model: these measurements do not depend on quality."""
    return untrained_run(widths=(64, 16))


@pytest.fixture(scope="module")
def knn(run, dataset) -> KNeighborsClassifier:
    return KNeighborsClassifier(5, algorithm="brute").fit(
        encode(run, dataset.train.images / np.float32(255)), dataset.train.labels
    )


def test_drift_counts_the_classes_that_change(run, dataset, knn):
    drift = drift_of_noise(run, dataset, levels=(0.0, 0.5))
    clean = dataset.test.images / np.float32(255)
    before, after = (
        knn.predict(encode(run, clean)),
        knn.predict(encode(run, corrupt(clean, std=0.5))),
    )
    assert drift.changed is not None
    assert drift.accuracy is not None
    assert drift.changed.tolist() == [0, np.mean(before != after)]
    assert drift.accuracy.tolist() == [
        np.mean(before == dataset.test.labels),
        np.mean(after == dataset.test.labels),
    ]
    np.testing.assert_array_equal(drift.latents[0.5], encode(run, corrupt(clean, std=0.5)))


def test_by_class_is_the_mean_over_each_class_and_its_recall(run, dataset, knn):
    clean = dataset.test.images / np.float32(255)
    denoised = reconstruct(run, corrupt(clean, std=0.25))
    rows = by_class(run, dataset, per_image(denoised, clean))
    error = np.square(denoised - clean).mean(axis=(1, 2, 3))
    right = knn.predict(encode(run, clean)) == dataset.test.labels
    assert list(rows) == list(CLASS_NAMES)
    assert sum(row.images for row in rows.values()) == len(clean)
    for label, row in enumerate(rows.values()):
        mine = dataset.test.labels == label
        np.testing.assert_allclose(row.quality.mse, error[mine].mean(), rtol=1e-5)
        np.testing.assert_allclose(row.recall, right[mine].mean())


def test_a_quantile_grid_holds_every_point_once_and_rows_hold_equally_many():
    latents = np.random.default_rng(0).normal(size=(1000, 2)) * [1, 10]
    edges, middles, counts = quantile_grid(latents, cells=4)
    expected, *_ = np.histogram2d(latents[:, 1], latents[:, 0], bins=(edges[1], edges[0]))
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum(axis=0).tolist() == counts.sum(axis=1).tolist() == [250] * 4
    assert middles.shape == (16, 2)
    for cell, (x, y) in enumerate(middles):
        row, column = divmod(cell, 4)
        assert edges[0][column] < x < edges[0][column + 1]
        assert edges[1][row] < y < edges[1][row + 1]


def test_evenness_is_one_for_a_lattice_a_quarter_for_a_quarter_and_of_no_scale():
    x, y = np.meshgrid(np.arange(128.0), np.arange(128.0))
    lattice = np.stack([x.ravel(), y.ravel()], axis=1)
    assert evenness(lattice) == pytest.approx(1, abs=0.02)
    assert evenness(lattice * [3, 1e-3] + 7) == pytest.approx(evenness(lattice), abs=0.01)
    corners = lattice[np.all((lattice % 64 < 32), axis=1)]  # four squares, a quarter of the plane
    assert evenness(corners) == pytest.approx(1 / 4 / (0.75**2), rel=0.1)
    far = np.concatenate([lattice, np.full((100, 2), 1e9)])  # 0.6 % of the points
    assert evenness(far) == pytest.approx(evenness(lattice), abs=0.02)


def test_a_regular_grid_has_its_middles_inside():
    plane = regular_grid(np.array([-1.0, 10.0]), np.array([3.0, 30.0]), cells=2)
    np.testing.assert_allclose(plane, [[0, 15], [2, 15], [0, 25], [2, 25]])


def test_decode_is_the_second_half_of_reconstruct(run, dataset):
    images = dataset.test.images[:7] / np.float32(255)
    np.testing.assert_allclose(
        decode(run, encode(run, images)), reconstruct(run, images), atol=1e-6
    )
    with pytest.raises(InputError, match=r"\[7, 3\]"):
        decode(run, np.zeros((7, 3), np.float32))


def test_the_local_error_is_the_mean_over_the_ten_nearest():
    points, errors = (
        np.random.default_rng(0).normal(size=(200, 2)),
        np.random.default_rng(1).random(200),
    )
    nearest = NearestNeighbors(n_neighbors=10).fit(points).kneighbors(points, return_distance=False)
    np.testing.assert_allclose(local_error(points, errors), errors[nearest].mean(axis=1))


def test_the_plane_of_many_points_takes_memory_of_their_number_not_of_its_square():
    plane = plane_of(
        np.random.default_rng(0).normal(size=(200_000, 3)).astype(np.float32) * [1, 3, 2]
    )  # squared: 320 GB
    np.testing.assert_allclose(np.abs(plane.axes), [[0, 0], [1, 0], [0, 1]], atol=0.01)


def test_the_plane_of_many_dimensions_is_that_of_the_two_principal_axes():
    latents = np.random.default_rng(0).normal(size=(300, 5)) * [1, 9, 2, 4, 3] + 7
    plane, pca = plane_of(latents), PCA(2).fit(latents)
    for axis, expected, share, label in zip(
        plane.axes.T, pca.components_, pca.explained_variance_ratio_, plane.labels, strict=True
    ):
        np.testing.assert_allclose(abs(axis @ expected), 1)
        assert label.endswith(f"of 5 ({share:.0%} of the variance)")
    assert [label[:16] for label in plane.labels] == ["principal axis 1", "principal axis 2"]
    np.testing.assert_allclose(
        np.abs(plane.project(latents)), np.abs(pca.transform(latents)), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        plane.lift(plane.project(latents)), pca.inverse_transform(pca.transform(latents)), rtol=1e-4
    )
