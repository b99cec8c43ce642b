"""The latent plane: where noise pushes images on it, where errors are on it, and grids over it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import REFERENCES, Dataset, check_data
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.inference import Run, corrupt, encode


class Plane(NamedTuple):
    """The plane of a map: a 2-D latent space itself, or the two leading principal axes of one with more dimensions."""

    centre: np.ndarray
    """f64[K]."""
    axes: np.ndarray
    """f64[K, 2], of length one and at right angles."""
    labels: tuple[str, str]

    def project(self, latents: np.ndarray) -> np.ndarray:
        """Latents f[N, K] → points of the plane, f32[N, 2]."""
        return ((latents - self.centre) @ self.axes).astype(np.float32)

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Points of the plane f[N, 2] → the latents there, f32[N, K]."""
        return (self.centre + points @ self.axes.T).astype(np.float32)


def plane_of(latents: np.ndarray) -> Plane:
    """The plane of a map of these latents, f[N, K]."""
    size = latents.shape[1]
    if size == 2:
        return Plane(np.zeros(2), np.eye(2), ("latent dimension 1", "latent dimension 2"))
    centre = latents.mean(axis=0, dtype=np.float64)
    _, spread, rows = np.linalg.svd(latents - centre, full_matrices=False)
    shares = np.square(spread) / (np.square(spread).sum() or 1.0)
    names = [
        f"principal axis {k + 1} of {size} latent dimensions ({shares[k]:.0%} of their variance)"
        for k in range(2)
    ]
    return Plane(centre, rows[:2].T, (names[0], names[1]))


def local_error(points: np.ndarray, errors: np.ndarray, *, neighbours: int = 10) -> np.ndarray:
    """The mean error of each point's nearest neighbours on the map, itself included. f[N, 2], f[N] → f64[N]."""
    from scipy.spatial import KDTree  # here, not above: SciPy is slow to import

    _, nearest = KDTree(points).query(
        points, k=[*range(1, min(neighbours, len(points)) + 1)], workers=-1
    )
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
    check_data(run.config, dataset, trained_on=run.data_sha256)
    references = dataset.train.at_most(REFERENCES)
    test = to_unit(dataset.test.images)
    latents = {level: encode(run, corrupt(test, std=level)) for level in levels}
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


def quantile_grid(latents: np.ndarray, *, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plane cut at the quantiles of the latents' two coordinates: edges f64[2, cells + 1], middles f32[cells², 2], counts.

    counts: int[cells, cells], and the middles' order, are [row of dimension 2, column of dimension 1].
    """
    edges = np.quantile(latents, np.linspace(0, 1, cells + 1), axis=0).T
    middles = np.quantile(latents, (np.arange(cells) + 0.5) / cells, axis=0).astype(np.float32)
    x, y = np.meshgrid(middles[:, 0], middles[:, 1])
    inside = [
        np.clip(np.searchsorted(e, z, side="right") - 1, 0, cells - 1)
        for e, z in zip(edges, latents.T, strict=True)
    ]
    counts = np.bincount(inside[1] * cells + inside[0], minlength=cells**2).reshape(cells, cells)
    return edges, np.stack([x.ravel(), y.ravel()], axis=1), counts


def regular_grid(low: np.ndarray, high: np.ndarray, *, cells: int) -> np.ndarray:
    """The middles of equal cells between two corners, f32[cells², 2] as [row of dimension 2, column of dimension 1]."""
    middles = low + (high - low) * (np.arange(cells)[:, None] + 0.5) / cells
    return np.stack(np.meshgrid(*middles.T), axis=-1).reshape(-1, 2).astype(np.float32)


NEIGHBOURS = 10


def align(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """other, shifted, turned, mirrored and scaled onto reference in least squares (Procrustes). f[N, d] twice → f64[N, d]."""
    from scipy.linalg import orthogonal_procrustes  # here, not above: SciPy is slow to import

    if reference.shape != other.shape:
        raise InputError(
            f"embeddings have the shapes {list(reference.shape)} and {list(other.shape)}: give two of one shape"
        )
    centre = reference.mean(axis=0, dtype=np.float64)
    x, y = reference - centre, other - other.mean(axis=0, dtype=np.float64)
    rotation, scale = orthogonal_procrustes(y, x)
    return y @ rotation * (scale / (np.square(y).sum() or 1.0)) + centre


def shared_neighbours(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Share of each point's NEIGHBOURS nearest that two embeddings have in common, on average: f64[M, M] in [0, 1]."""
    from scipy.spatial import KDTree

    near = [
        np.sort(_without_itself(KDTree(z).query(z, k=NEIGHBOURS + 1, workers=-1)[1]))
        for z in embeddings
    ]
    n = len(near[0])
    flat = [(np.arange(n)[:, None] * n + each).ravel() for each in near]
    return np.array(
        [[len(np.intersect1d(a, b, assume_unique=True)) / a.size for b in flat] for a in flat]
    )


def _without_itself(nearest: np.ndarray) -> np.ndarray:
    own = nearest == np.arange(len(nearest))[:, None]
    own[~own.any(axis=1), -1] = (
        True  # a point with many duplicates may not find itself: drop the last
    )
    return nearest[~own].reshape(len(nearest), NEIGHBOURS)
