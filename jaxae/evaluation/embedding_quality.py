"""How much of the data's geometry an embedding keeps. Arrays in, numbers out.

X: float[N, ...], the data; Z: float[N, d], their embedding, row for row. A point's nearest
neighbour has rank 1, the point itself rank 0. Trustworthiness and continuity: Venna & Kaski 2006.
MRRE: Lee & Verleysen 2009. KL_σ: Chazal et al. 2011. All as in Moor et al. 2020.
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
"""Rows of a distance matrix that are computed at a time."""
THREADS = 4
"""Most threads: each holds some 100 MB for 10,000 points."""


class Sums(NamedTuple):
    """What some rows of one distance matrix add to the measures."""

    far: np.ndarray
    """Σ max(rank here - k, 0) over the k nearest in the other space: f64[k], for each k."""
    rank_error: np.ndarray
    """Σ |rank here - rank there| / rank there over the same: f64[k], without k = 5."""
    density: np.ndarray
    """Σ exp(-d² / σ) over all points: f64[σ, rows]."""


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
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for name, points in (("X", x), ("Z", z)):
            largest = np.sqrt(max(pool.map(functools.partial(_largest, points), _blocks(n))))
            if not largest > 0:
                raise InputError(
                    f"All points of {name} are the same: there are no neighbours to compare"
                )
            points /= largest
        parts = list(pool.map(functools.partial(_sums, x, z, k), _blocks(n)))
    in_x = _total([part for part, _ in parts])
    in_z = _total([part for _, part in parts])

    worst_far = n * k * (2 * n - 3 * k - 1) / 2
    trust = 1 - in_x.far / worst_far
    continuity = 1 - in_z.far / worst_far

    order = np.arange(1, k[-1] + 1)
    worst_rank_error = n * np.cumsum(np.abs(2 * order - n - 1) / order)[k[1:] - 1]
    mrre = (in_x.rank_error + in_z.rank_error) / (2 * worst_rank_error)

    kl = [_divergence(p, q) for p, q in zip(in_x.density, in_z.density, strict=True)]
    separation = None
    if labels is not None and len(np.unique(labels)) > 1:
        separation = float(silhouette(z, labels).mean())

    return Geometry(
        trust_k5=float(trust[0]),
        l_trust=float(trust[1:].mean()),
        l_cont=float(continuity[1:].mean()),
        l_mrre=float(mrre.mean()),
        kl_0_01=kl[0],
        kl_0_1=kl[1],
        kl_1=kl[2],
        silhouette=separation,
    )


def neighbourhoods(count: int) -> np.ndarray:
    """Return the values of k that means over k take for this many points: those below half."""
    return NEIGHBOURS[count > 2 * NEIGHBOURS]


def silhouette(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (b - a) / max(a, b) of each point, f64[N] (Rousseeuw 1987).

    a is the mean distance to the other points of its class, b that to the nearest other class.
    """
    z = _check(Z, "Z")
    _, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.eye(len(counts))[own]
    sums = np.concatenate(
        [np.sqrt(_squared_distances(z, rows)) @ members for rows in _blocks(len(z))]
    )

    mine = (np.arange(len(z)), own)
    a = sums[mine] / np.maximum(counts[own] - 1, 1)
    others = sums / counts
    others[mine] = np.inf
    b = others.min(axis=1)

    greater = np.maximum(np.maximum(a, b), np.finfo(float).tiny)
    return np.where(counts[own] > 1, (b - a) / greater, 0.0)


def knn_predict(
    train: np.ndarray, labels: np.ndarray, queries: np.ndarray, *, k: int
) -> np.ndarray:
    """Return the commonest label of the k nearest of `train`; of a tie the smallest.

    f[N, d], int[N], f[M, d] → int[M].
    """
    from scipy.spatial import KDTree  # SciPy is slow to import

    count = min(k, len(train))
    _, nearest = KDTree(train).query(queries, k=list(range(1, count + 1)), workers=-1)
    votes = np.eye(labels.max() + 1, dtype=np.int32)[labels[nearest]].sum(axis=1)

    return votes.argmax(axis=1)


def _check(points: np.ndarray, name: str) -> np.ndarray:
    array = np.array(points, np.float64).reshape(len(points), -1)
    broken = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(broken):
        raise InputError(f"{name} has a value that is not finite, in row {broken[0]}")

    return array


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + ROWS, n)) for start in range(0, n, ROWS))


def _squared_distances(points: np.ndarray, rows: slice) -> np.ndarray:
    norms = np.einsum("ij,ij->i", points, points)
    squared = norms[rows, None] + norms - 2 * points[rows] @ points.T
    squared[_itself(rows)] = 0

    return np.maximum(squared, 0, out=squared)


def _itself(rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return the places in some rows of a distance matrix where a point meets itself."""
    numbers = np.arange(rows.start, rows.stop)
    return numbers - rows.start, numbers


def _largest(points: np.ndarray, rows: slice) -> float:
    return _squared_distances(points, rows).max()


def _sums(x: np.ndarray, z: np.ndarray, k: np.ndarray, rows: slice) -> tuple[Sums, Sums]:
    """Return the sums in X and in Z."""
    in_x = _squared_distances(x, rows)
    in_z = _squared_distances(z, rows)
    density_x = _densities(in_x)
    density_z = _densities(in_z)

    # A duplicate must not come before the point itself.
    in_x[_itself(rows)] = -1
    in_z[_itself(rows)] = -1
    near_x, rank_x = _nearest(in_x, k[-1])
    near_z, rank_z = _nearest(in_z, k[-1])

    of_z = np.take_along_axis(rank_x, near_z, axis=1)
    of_x = np.take_along_axis(rank_z, near_x, axis=1)

    return (
        Sums(_far(of_z, k), _rank_error(of_z, k), density_x),
        Sums(_far(of_x, k), _rank_error(of_x, k), density_z),
    )


def _densities(squared: np.ndarray) -> np.ndarray:
    return np.array([np.exp(-squared / sigma).sum(axis=1) for sigma in SIGMAS])


def _nearest(distances: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's nearest points, int[rows, most], and the rank of every point."""
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty(distances.shape, np.int32)
    np.put_along_axis(ranks, order, np.arange(distances.shape[1], dtype=np.int32)[None], 1)

    return order[:, 1 : most + 1], ranks


def _far(ranks: np.ndarray, k: np.ndarray) -> np.ndarray:
    """ranks: those here of the nearest in the other space, in their order."""
    return np.array([np.maximum(ranks[:, :j] - j, 0).sum(dtype=np.float64) for j in k])


def _rank_error(ranks: np.ndarray, k: np.ndarray) -> np.ndarray:
    order = np.arange(1, k[-1] + 1)
    errors = (np.abs(ranks - order) / order).sum(axis=0)

    return np.cumsum(errors)[k[1:] - 1]


def _total(parts: list[Sums]) -> Sums:
    return Sums(
        far=np.sum([part.far for part in parts], axis=0),
        rank_error=np.sum([part.rank_error for part in parts], axis=0),
        density=np.concatenate([part.density for part in parts], axis=1),
    )


def _divergence(density_x: np.ndarray, density_z: np.ndarray) -> float:
    """Return the Kullback-Leibler divergence of two densities, normalised to sum to one."""
    p = density_x / density_x.sum()
    q = density_z / density_z.sum()

    return float(np.sum(p * np.log(p / q)))
