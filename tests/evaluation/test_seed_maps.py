import numpy as np
import pytest
from scipy.spatial import procrustes
from sklearn.neighbors import NearestNeighbors

from jaxae.errors import InputError
from jaxae.evaluation.maps import align, displacement, shared_neighbours

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(300, 2)) * [1, 3]


def test_a_turned_mirrored_scaled_and_shifted_map_comes_back():
    turned = -2.5 * POINTS @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [5, -7]
    np.testing.assert_allclose(align(POINTS, turned), POINTS, atol=1e-9)


def test_the_error_that_is_left_is_scipys_disparity():
    other = POINTS + RNG.normal(size=POINTS.shape)
    spread = np.square(POINTS - POINTS.mean(axis=0)).sum()
    np.testing.assert_allclose(
        np.square(align(POINTS, other) - POINTS).sum() / spread,
        procrustes(POINTS, other)[2],
        rtol=1e-9,
    )


def test_displacement_is_the_median_distance_as_a_share_of_the_spread():
    square = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * 5.0  # a spread of √50
    square = np.repeat(square, 3, axis=0) + np.array([20, 0])
    shifted = displacement(square, square + np.array([3, 4]))
    np.testing.assert_allclose(shifted, [5 / np.sqrt(50), 0], atol=1e-7)

    one_is_gone = square.copy()
    one_is_gone[0] += 1000
    assert displacement(square, one_is_gone).as_it_is == 0  # not the mean

    other = POINTS + RNG.normal(size=POINTS.shape)
    spread = np.sqrt(POINTS.var(axis=0).sum())
    left = np.median(np.linalg.norm(align(POINTS, other) - POINTS, axis=1)) / spread
    np.testing.assert_allclose(displacement(POINTS, 2 * other).aligned, left)


def test_shared_neighbours_are_those_that_scikit_learn_finds():
    other = POINTS + 0.3 * RNG.normal(size=POINTS.shape)
    near = [
        NearestNeighbors(n_neighbors=10).fit(z).kneighbors(return_distance=False)
        for z in (POINTS, other)
    ]
    expected = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)]))
    shared = shared_neighbours([POINTS, other])
    np.testing.assert_allclose(shared, [[1, expected], [expected, 1]])
    assert 0.1 < expected < 0.9


def test_points_that_lie_on_one_another_are_no_obstacle():
    same = np.zeros((50, 2))
    assert shared_neighbours([same, same]).shape == (2, 2)


def test_maps_of_other_sizes_are_refused():
    with pytest.raises(InputError, match="one shape"):
        align(POINTS, POINTS[:5])
