"""The latent plane: projections and grids, the drift that noise causes, and agreement of maps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxae.data.dataset import REFERENCES, Dataset
from jaxae.data.large import in_blocks
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.evaluation.records import check_run_and_data
from jaxae.inference import Run, corrupt, encode

NEIGHBOURS = 10
CELLS = 32
"""Most cells in each dimension in which evenness counts points."""
CELL_POINTS = 10
"""Fewest points for a cell, on average."""


class Plane(NamedTuple):
    """The plane of a map: a 2-D latent space, or the two leading principal axes of a larger one."""

    centre: np.ndarray
    """f64[K]."""
    axes: np.ndarray
    """f64[K, 2], orthonormal."""
    labels: tuple[str, str]
    """The names of its dimensions."""

    def project(self, latents: np.ndarray) -> np.ndarray:
        """Return the points of latents f[N, K], f32[N, 2]."""
        return ((latents - self.centre) @ self.axes).astype(np.float32)

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Return the latents at points f[N, 2], f32[N, K]."""
        return (self.centre + points @ self.axes.T).astype(np.float32)


def plane_of(latents: np.ndarray) -> Plane:
    """Return the plane of a map of latents f[N, K]."""
    size = latents.shape[1]
    if size == 2:
        return Plane(np.zeros(2), np.eye(2), ("latent dimension 1", "latent dimension 2"))

    centre = latents.mean(axis=0, dtype=np.float64)
    _, spread, rows = np.linalg.svd(latents - centre, full_matrices=False)
    variances = np.square(spread)
    shares = variances / (variances.sum() or 1.0)
    first = f"principal axis 1 of {size} ({shares[0]:.0%} of the variance)"
    second = f"principal axis 2 of {size} ({shares[1]:.0%} of the variance)"

    return Plane(centre, rows[:2].T, (first, second))


class Grid(NamedTuple):
    """The plane in cells. Rows are those of dimension 2, columns those of dimension 1."""

    edges: np.ndarray
    """The borders of the cells in each dimension: f64[2, cells + 1]."""
    middles: np.ndarray
    """f32[cells², 2], row by row."""
    counts: np.ndarray
    """The number of points in each cell: int[cells, cells]."""


def quantile_grid(points: np.ndarray, *, cells: int) -> Grid:
    """Return the plane cut at the quantiles of points f[N, 2] in each dimension."""
    edges = np.quantile(points, np.linspace(0, 1, cells + 1), axis=0).T
    middles = np.quantile(points, (np.arange(cells) + 0.5) / cells, axis=0)
    x, y = np.meshgrid(*middles.T.astype(np.float32))

    column, row = (
        np.clip(np.searchsorted(edge, each, side="right") - 1, 0, cells - 1)
        for edge, each in zip(edges, points.T, strict=True)
    )
    counts = np.bincount(row * cells + column, minlength=cells**2)

    return Grid(edges, np.stack([x.ravel(), y.ravel()], axis=1), counts.reshape(cells, cells))


def evenness(points: np.ndarray) -> float:
    """Return how evenly points f[N, 2] use the plane: 1 for all cells alike, about 0 for one cell.

    It is the perplexity of the points over cells, exp(-Σ p log p), as a share of the cells: squares
    that cut the middle 98 % of the points in each dimension in 32, or fewer for fewer points.
    """
    low, high = np.quantile(points, [0.01, 0.99], axis=0).astype(np.float64)
    cells = int(np.clip(np.sqrt(len(points) / CELL_POINTS), 1, CELLS))
    x, y = points.T
    counts, _, _ = np.histogram2d(x, y, cells, [(low[0], high[0]), (low[1], high[1])])
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))) / cells**2)


def regular_grid(low: np.ndarray, high: np.ndarray, *, cells: int) -> np.ndarray:
    """Return the middles of equal cells between two corners, f32[cells², 2], as Grid has them."""
    middles = low + (high - low) * (np.arange(cells)[:, None] + 0.5) / cells
    x, y = np.meshgrid(*middles.T)

    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def local_error(points: np.ndarray, errors: np.ndarray, *, neighbours: int = 10) -> np.ndarray:
    """Return the mean error of each point's nearest neighbours on the map, itself included.

    f[N, 2], f[N] → f64[N].
    """
    from scipy.spatial import KDTree  # SciPy is slow to import

    count = min(neighbours, len(points))
    _, nearest = KDTree(points).query(points, k=list(range(1, count + 1)), workers=-1)

    return np.asarray(errors, np.float64)[nearest].mean(axis=1)


class Drift(NamedTuple):
    """Where noise pushes the latents of the test images, and what that does to their classes.

    A class is the vote of the five nearest latents of clean training images; None without labels.
    """

    latents: dict[float, np.ndarray]
    """By noise level: f32[N, latent_dim]."""
    changed: np.ndarray | None
    """Share of images that have another class than without noise: f64[levels]."""
    accuracy: np.ndarray | None
    """Share of images that have their true class: f64[levels]."""


def drift_of_noise(run: Run, dataset: Dataset, *, levels: Sequence[float]) -> Drift:
    """Return where one draw of noise at each level pushes the test images' latents."""
    check_run_and_data(run, dataset)
    test = dataset.test.images
    latents = {level: _noisy_latents(run, test, std=level) for level in levels}

    references = dataset.train.at_most(REFERENCES)
    labels = references.labels
    if labels is None:
        return Drift(latents, changed=None, accuracy=None)

    train = encode(run, references.images)
    unmoved = knn_predict(train, labels, encode(run, test), k=5)
    found = np.stack([knn_predict(train, labels, each, k=5) for each in latents.values()])

    return Drift(
        latents,
        changed=np.mean(found != unmoved, axis=1),
        accuracy=np.mean(found == dataset.test.labels, axis=1),
    )


def _noisy_latents(run: Run, images: np.ndarray, *, std: float) -> np.ndarray:
    latents: list[np.ndarray] = []
    done = 0
    for block in in_blocks(images):
        noisy = corrupt(block, std=std, indices=done + np.arange(len(block)))
        latents.append(encode(run, noisy))
        done += len(block)
    return np.concatenate(latents)


def align(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return other, shifted, rotated, mirrored and scaled onto reference in least squares.

    This is Procrustes analysis. f[N, d] twice → f64[N, d]. Raises InputError.
    """
    from scipy.linalg import orthogonal_procrustes  # SciPy is slow to import

    if reference.shape != other.shape:
        shapes = f"{list(reference.shape)} and {list(other.shape)}"
        raise InputError(f"embeddings have the shapes {shapes}: give two of one shape")

    centre = reference.mean(axis=0, dtype=np.float64)
    x = reference - centre
    y = other - other.mean(axis=0, dtype=np.float64)
    rotation, scale = orthogonal_procrustes(y, x)

    return y @ rotation * (scale / (np.square(y).sum() or 1.0)) + centre


class Displacement(NamedTuple):
    """How far points are from where they were: medians, as shares of the old map's spread.

    The spread is the root of the mean squared distance from the centre. Points that are exchanged
    at random are about 1.2 of it apart.
    """

    as_it_is: float
    """0 if every point is where it was."""
    aligned: float
    """After align: 0 if only the whole map has been shifted, turned, mirrored or scaled."""


def displacement(before: np.ndarray, after: np.ndarray) -> Displacement:
    """Return how far points are from where they were. f[N, d] twice; raises InputError."""
    spread = np.sqrt(np.square(before - before.mean(axis=0, dtype=np.float64)).sum(axis=1).mean())

    distances = [
        np.median(np.linalg.norm(each - before, axis=1)) / (spread or 1.0)
        for each in (after, align(before, after))
    ]
    return Displacement(*map(float, distances))


def shared_neighbours(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Return the share of a point's NEIGHBOURS nearest that two embeddings have in common.

    It is the mean over the points: f64[M, M] in [0, 1].
    """
    near = [_nearest(each) for each in embeddings]
    count = len(near[0])

    # A pair (point, neighbour) as one number, so that common pairs are common numbers.
    pairs = [(np.arange(count)[:, None] * count + each).ravel() for each in near]
    common = [[len(np.intersect1d(a, b, assume_unique=True)) for b in pairs] for a in pairs]

    return np.array(common) / pairs[0].size


def _nearest(points: np.ndarray) -> np.ndarray:
    """Return the indices of each point's nearest others, int[N, NEIGHBOURS]."""
    from scipy.spatial import KDTree  # SciPy is slow to import

    _, nearest = KDTree(points).query(points, k=NEIGHBOURS + 1, workers=-1)
    itself = nearest == np.arange(len(points))[:, None]
    # A point with many duplicates may not find itself: the last of them goes.
    itself[~itself.any(axis=1), -1] = True

    return nearest[~itself].reshape(len(points), NEIGHBOURS)
