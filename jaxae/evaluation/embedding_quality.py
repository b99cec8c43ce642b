"""How much of the data's geometry a low-dimensional embedding keeps. Arrays in, numbers out; nothing here knows the model.

X: float[N, ...], the data; Z: float[N, d], their embedding, row for row. Ranks count from the nearest, 1; a point itself is 0.
Trustworthiness, continuity: Venna & Kaski 2006. MRRE: Lee & Verleysen 2009. KL_σ: Chazal et al. 2011. As in Moor et al. 2020.
"""

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from jaxae.errors import InputError

NEIGHBOURS = np.arange(10, 201, 10)
SIGMAS = (0.01, 0.1, 1.0)
ROWS = 250


class Sums(NamedTuple):
    """What some rows of the two distance matrices add to the measures."""

    far_in_x: np.ndarray
    """Σ max(rank in X - k, 0) over the k nearest in Z: f64[k], for k = 5, and the neighbourhoods."""
    far_in_z: np.ndarray
    """The same with X and Z exchanged."""
    rank_error_x: np.ndarray
    """Σ |rank in X - rank in Z| / rank in Z over the k nearest in Z: f64[k] for the neighbourhoods."""
    rank_error_z: np.ndarray
    """The same with X and Z exchanged."""
    density_x: np.ndarray
    """Σ exp(-d² / σ) over all points: f64[σ, rows]."""
    density_z: np.ndarray
    """The same in Z."""


class Geometry(NamedTuple):
    """How much an embedding keeps of the data's geometry."""

    trust_k5: float
    """Trustworthiness of five neighbours."""
    l_trust: float
    """Trustworthiness, continuity and MRRE are means over k = 10, 20 … 200 neighbours."""
    l_cont: float
    l_mrre: float
    kl_0_01: float
    """KL_σ, by σ."""
    kl_0_1: float
    kl_1: float
    silhouette: float | None
    """None without labels, or with labels of one class."""


def geometry(X: np.ndarray, Z: np.ndarray, *, labels: np.ndarray | None = None) -> Geometry:
    """Return how well the embedding Z keeps the geometry of X. labels: int[N], for the silhouette.

    Means over k stop below half the number of points. Time and memory: O(N²), O(N).
    Raises InputError.
    """
    x = _check(X, "X")
    z = _check(Z, "Z")
    n = len(x)
    if len(z) != n or (labels is not None and len(labels) != n):
        counts = f"X has {n} points, Z {len(z)}"
        if labels is not None:
            counts += f", labels {len(labels)}"
        raise InputError(f"{counts}: give a row of Z, and a label, for each")
    if n <= 2 * NEIGHBOURS[0]:
        raise InputError(
            f"There are {n} points: measures over {NEIGHBOURS[0]} neighbours need more than "
            "twice as many"
        )

    k = np.array([5, *neighbourhoods(n)])
    # Each thread holds some 100 MB for 10,000 points.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for name, points in (("X", x), ("Z", z)):
            largest = np.sqrt(max(pool.map(functools.partial(_largest, points), _blocks(n))))
            if not largest > 0:
                raise InputError(
                    f"All points of {name} are the same: there are no neighbours to compare"
                )
            points /= largest
        parts = list(pool.map(functools.partial(_sums, x, z, k), _blocks(n)))

    total = Sums(
        far_in_x=np.sum([part.far_in_x for part in parts], axis=0),
        far_in_z=np.sum([part.far_in_z for part in parts], axis=0),
        rank_error_x=np.sum([part.rank_error_x for part in parts], axis=0),
        rank_error_z=np.sum([part.rank_error_z for part in parts], axis=0),
        density_x=np.concatenate([part.density_x for part in parts], axis=1),
        density_z=np.concatenate([part.density_z for part in parts], axis=1),
    )

    worst_far = n * k * (2 * n - 3 * k - 1) / 2
    trust = 1 - total.far_in_x / worst_far
    continuity = 1 - total.far_in_z / worst_far

    order = np.arange(1, k[-1] + 1)
    worst_rank_error = n * np.cumsum(np.abs(2 * order - n - 1) / order)[k[1:] - 1]
    mrre = (total.rank_error_x + total.rank_error_z) / (2 * worst_rank_error)

    kl = [_divergence(p, q) for p, q in zip(total.density_x, total.density_z, strict=True)]
    separation = None
    if labels is not None and len(np.unique(labels)) > 1:
        separation = float(silhouette(z, labels).mean())

    return Geometry(
        trust_k5=float(trust[0]),
        l_trust=float(trust[1:].mean()),
        l_cont=float(continuity[1:].mean()),
        l_mrre=float(mrre.mean()),
        kl_0_01=float(kl[0]),
        kl_0_1=float(kl[1]),
        kl_1=float(kl[2]),
        silhouette=separation,
    )


def neighbourhoods(count: int) -> np.ndarray:
    """The numbers of neighbours k that the means over k take for so many points: NEIGHBOURS below half of them."""
    return NEIGHBOURS[count > 2 * NEIGHBOURS]


def silhouette(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(b - a) / max(a, b) of a point's mean distance to its own class, a, and to the nearest other, b: f64[N] (Rousseeuw)."""
    z = _check(Z, "Z")
    _, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.eye(len(counts))[own]
    sums = np.concatenate(
        [np.sqrt(_squared_distances(z, rows)) @ members for rows in _blocks(len(z))]
    )
    mine = np.arange(len(z)), own
    a = sums[mine] / np.maximum(counts[own] - 1, 1)
    others = sums / counts
    others[mine] = np.inf
    b = others.min(axis=1)
    return np.where(
        counts[own] > 1, (b - a) / np.maximum(np.maximum(a, b), np.finfo(float).tiny), 0.0
    )


def knn_predict(
    train: np.ndarray, labels: np.ndarray, queries: np.ndarray, *, k: int
) -> np.ndarray:
    """The commonest label of the k nearest of `train`, the smallest of several. f[N, d], int[N], f[M, d] → int[M]."""
    from scipy.spatial import KDTree  # here, not above: SciPy is slow to import

    _, nearest = KDTree(train).query(queries, k=[*range(1, min(k, len(train)) + 1)], workers=-1)
    votes = np.eye(labels.max() + 1, dtype=np.int32)[labels[nearest]].sum(axis=1)
    return votes.argmax(axis=1)


def _check(points: np.ndarray, name: str) -> np.ndarray:
    array = np.array(points, np.float64).reshape(len(points), -1)
    if not np.isfinite(array).all():
        raise InputError(
            f"{name} has a value that is not finite, in row {np.flatnonzero(~np.isfinite(array).all(axis=1))[0]}"
        )
    return array


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + ROWS, n)) for start in range(0, n, ROWS))


def _squared_distances(points: np.ndarray, rows: slice) -> np.ndarray:
    norms = np.einsum("ij,ij->i", points, points)
    squared = norms[rows, None] + norms - 2 * points[rows] @ points.T
    squared[np.arange(squared.shape[0]), np.arange(rows.start, rows.stop)] = (
        0  # exactly: it is what ranks a point itself first
    )
    return np.maximum(squared, 0, out=squared)


def _largest(points: np.ndarray, rows: slice) -> float:
    return _squared_distances(points, rows).max()


def _sums(x: np.ndarray, z: np.ndarray, k: np.ndarray, rows: slice) -> Sums:
    in_x, in_z = _squared_distances(x, rows), _squared_distances(z, rows)
    densities = [
        np.array([np.exp(-d / sigma).sum(axis=1) for sigma in SIGMAS]) for d in (in_x, in_z)
    ]
    for d in (in_x, in_z):
        d[
            np.arange(d.shape[0]), np.arange(rows.start, rows.stop)
        ] = -1  # a duplicate must not come before the point itself
    (near_x, rank_x), (near_z, rank_z) = _nearest(in_x, k[-1]), _nearest(in_z, k[-1])
    x_of_z, z_of_x = np.take_along_axis(rank_x, near_z, 1), np.take_along_axis(rank_z, near_x, 1)
    order = np.arange(1, k[-1] + 1)
    return Sums(
        *(
            np.array([np.maximum(far[:, :j] - j, 0).sum(dtype=np.float64) for j in k])
            for far in (x_of_z, z_of_x)
        ),
        *(
            np.cumsum((np.abs(far - order) / order).sum(axis=0))[k[1:] - 1]
            for far in (x_of_z, z_of_x)
        ),
        *densities,
    )


def _nearest(distances: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty(distances.shape, np.int32)
    np.put_along_axis(ranks, order, np.arange(distances.shape[1], dtype=np.int32)[None], 1)
    return order[:, 1 : most + 1], ranks


def _divergence(density_x: np.ndarray, density_z: np.ndarray) -> float:
    p, q = density_x / density_x.sum(), density_z / density_z.sum()
    return np.sum(p * np.log(p / q))
