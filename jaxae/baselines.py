"""The simple rivals of the network: affine maps fitted in closed form. Images are f32[N, 28, 28] in [0, 1]."""

from typing import NamedTuple

import numpy as np

from jaxae.errors import InputError, check_pair

CHUNK = 5000


class Affine(NamedTuple):
    """pixels ↦ pixels @ matrix + offset."""

    matrix: np.ndarray
    offset: np.ndarray


def fit_affine(noisy: np.ndarray, clean: np.ndarray, *, rank: int | None = None) -> Affine:
    """The affine map noisy → clean of least squared error among those of this rank: reduced-rank regression (Izenman 1975).

    rank 0 is the mean image; fitted on clean → clean, rank 2 is PCA-2; None is the full-rank linear MMSE denoiser.
    """
    check_pair(noisy, clean)
    if rank is not None and not 0 <= rank <= clean[0].size:
        raise InputError(f"rank is {rank}: give 0 to {clean[0].size}, or None")
    n, (y, x) = len(noisy), (images.reshape(len(images), -1) for images in (noisy, clean))
    mean_y, mean_x = (a.mean(axis=0, dtype=np.float64) for a in (y, x))
    yy, yx = np.zeros((2, y.shape[1], y.shape[1]))
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        centred = y[rows] - mean_y
        yy += centred.T @ centred
        yx += centred.T @ (x[rows] - mean_x)
    matrix = np.linalg.pinv(yy, rcond=1e-10, hermitian=True) @ yx
    if rank is not None:
        _, vectors = np.linalg.eigh(yx.T @ matrix)  # of the predictions' covariance, ascending
        top = vectors[:, len(vectors) - rank :]
        matrix = matrix @ top @ top.T
    return Affine(matrix, mean_x - mean_y @ matrix)


def apply_affine(affine: Affine, images: np.ndarray) -> np.ndarray:
    """The map's output, not clipped to [0, 1]. f32[N, 28, 28] → f32[N, 28, 28]."""
    flat = images.reshape(len(images), -1) @ affine.matrix.astype(np.float32) + affine.offset.astype(np.float32)
    return flat.reshape(images.shape)
