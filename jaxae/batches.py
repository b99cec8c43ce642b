"""Programs over many rows, some at a time."""

from collections.abc import Callable

import jax
import numpy as np

FEW, MANY = 32, 1000
"""Rows at a time. Fewer are filled up to one of the two, so that no program is compiled for more than two shapes."""


def in_batches(program: Callable[..., jax.Array], *columns: np.ndarray) -> np.ndarray:
    """What a program makes of rows, each of which it treats alone: arrays [N, ...] → an array [N, ...]."""
    count = len(columns[0])
    size = FEW if count <= FEW else MANY
    batches = ([_filled(rows[start : start + size], size) for rows in columns] for start in range(0, count or 1, size))
    return np.concatenate([program(*batch) for batch in batches])[:count]


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
