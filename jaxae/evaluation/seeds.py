"""How far several embeddings of the same points agree: aligned maps, and the neighbours that they share. Arrays in and out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.errors import InputError
from jaxae.tables import markdown

NEIGHBOURS = 10


def align(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """other, shifted, turned, mirrored and scaled onto reference in least squares (Procrustes). f[N, d] twice → f64[N, d]."""
    from scipy.linalg import orthogonal_procrustes  # here, not above: SciPy is slow to import

    if reference.shape != other.shape:
        raise InputError(f"embeddings have the shapes {list(reference.shape)} and {list(other.shape)}: give two of one shape")
    centre = reference.mean(axis=0, dtype=np.float64)
    x, y = reference - centre, other - other.mean(axis=0, dtype=np.float64)
    rotation, scale = orthogonal_procrustes(y, x)
    return y @ rotation * (scale / (np.square(y).sum() or 1.0)) + centre


def shared_neighbours(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Share of each point's NEIGHBOURS nearest that two embeddings have in common, on average: f64[M, M] in [0, 1]."""
    from scipy.spatial import KDTree

    near = [np.sort(_without_itself(KDTree(z).query(z, k=NEIGHBOURS + 1, workers=-1)[1])) for z in embeddings]
    n = len(near[0])
    flat = [(np.arange(n)[:, None] * n + each).ravel() for each in near]
    return np.array([[len(np.intersect1d(a, b, assume_unique=True)) / a.size for b in flat] for a in flat])


def _without_itself(nearest: np.ndarray) -> np.ndarray:
    own = nearest == np.arange(len(nearest))[:, None]
    own[~own.any(axis=1), -1] = True  # a point with many duplicates may not find itself: drop the last
    return nearest[~own].reshape(len(nearest), NEIGHBOURS)


def spread(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation over members of every number in the results' rows."""
    first = results[0]
    rows = {
        name: {
            metric: {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
            for metric in row
            if None not in (values := [result["rows"][name][metric] for result in results])
        }
        for name, row in first["rows"].items()
    }
    return {"data": first["data"], "split": first["split"], "members": len(results), "rows": rows}


def spread_table(summary: dict[str, Any]) -> str:
    """A spread for a person, in Markdown."""
    rows = summary["rows"]
    metrics = list(next(iter(rows.values())))
    title = f"{summary['data']}, {summary['split']}: mean ± standard deviation over {summary['members']} members"

    def cell(row: dict[str, Any], metric: str) -> str:
        return f"{row[metric]['mean']:.5f} ± {row[metric]['std']:.5f}" if metric in row else ""

    table = markdown(["", *rows], [[metric, *(cell(row, metric) for row in rows.values())] for metric in metrics])
    return f"{title}\n\n{table}"
