"""The simple rivals of the network: affine maps fitted in closed form, and total variation. Images are f32[N, H, W, C]."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxae.core.images import check_pair
from jaxae.errors import InputError

CHUNK = 5000
TV_WEIGHTS = np.geomspace(0.01, 1.0, 13)
TV_IMAGES = 100
Denoise = Callable[[np.ndarray], np.ndarray]
LABELS = {
    "identity": "do nothing",
    "mean_image": "mean training image",
    "pca": "PCA-2",
    "linear_rank_2": "linear, rank 2",
    "linear": "linear, full rank",
    "total_variation": "total variation",
}
"""The rivals, and their names in tables and figures."""


class Affine(NamedTuple):
    """pixels ↦ pixels @ matrix + offset."""

    matrix: np.ndarray
    offset: np.ndarray


class Moments(NamedTuple):
    """What least squares need to know of pairs (noisy, clean): both means, and the centred sums of products."""

    mean_y: np.ndarray
    mean_x: np.ndarray
    yy: np.ndarray
    yx: np.ndarray


def moments(noisy: np.ndarray, clean: np.ndarray) -> Moments:
    """The moments of pairs, in float64. Raises InputError for two shapes that differ."""
    check_pair(noisy, clean)
    y, x = (images.reshape(len(images), -1) for images in (noisy, clean))
    mean_y, mean_x = (a.mean(axis=0, dtype=np.float64) for a in (y, x))
    yy, yx = np.zeros((2, y.shape[1], y.shape[1]))
    for start in range(0, len(y), CHUNK):
        rows = slice(start, start + CHUNK)
        centred = y[rows] - mean_y
        yy += centred.T @ centred
        yx += centred.T @ (x[rows] - mean_x)
    return Moments(mean_y, mean_x, yy, yx)


def fit_affine(pairs: Moments, *, rank: int | None = None) -> Affine:
    """The affine map noisy → clean of least squared error among those of this rank: reduced-rank regression (Izenman 1975).

    rank 0 is the mean image; fitted on clean → clean, rank 2 is PCA-2; None is the full-rank linear MMSE denoiser.
    """
    if rank is not None and not 0 <= rank <= len(pairs.yx):
        raise InputError(f"rank is {rank}: give 0 to {len(pairs.yx)}, or None")
    matrix = np.linalg.pinv(pairs.yy, rcond=1e-10, hermitian=True) @ pairs.yx
    if rank is not None:
        _, vectors = np.linalg.eigh(
            pairs.yx.T @ matrix
        )  # of the predictions' covariance, ascending
        top = vectors[:, len(vectors) - rank :]
        matrix = matrix @ top @ top.T
    return Affine(matrix, pairs.mean_x - pairs.mean_y @ matrix)


def fit_pca(images: np.ndarray, *, rank: int = 2) -> tuple[Affine, np.ndarray]:
    """PCA of images f32[N, H, W, C]: the projection on the leading principal axes, and these, f64[H·W·C, rank]."""
    from scipy.sparse.linalg import svds  # here, not above: SciPy is slow to import

    pixels = images.reshape(len(images), -1).astype(np.float64)
    mean = pixels.mean(axis=0)
    pixels -= mean
    axes = svds(pixels, k=rank, v0=np.ones(min(pixels.shape)), return_singular_vectors="vh")[2][
        ::-1
    ].T
    return Affine(axes @ axes.T, mean - mean @ axes @ axes.T), axes


def apply_affine(affine: Affine, images: np.ndarray) -> np.ndarray:
    """The map's output, not clipped to [0, 1]. f32[N, H, W, C] → f32[N, H, W, C]."""
    flat = images.reshape(len(images), -1) @ affine.matrix.astype(
        np.float32
    ) + affine.offset.astype(np.float32)
    return flat.reshape(images.shape)


def denoise_tv(images: np.ndarray, *, weight: float) -> np.ndarray:
    """Total-variation denoising (Chambolle 2004) of each image, through scikit-image. weight > 0: more is smoother."""
    from skimage.restoration import (
        denoise_tv_chambolle,
    )  # here, not above: most callers need not wait for SciPy

    return np.array(
        [denoise_tv_chambolle(image, weight=weight, channel_axis=-1) for image in images],
        np.float32,
    ).reshape(images.shape)


def fit_tv(noisy: np.ndarray, clean: np.ndarray) -> float:
    """The weight of TV_WEIGHTS that has the least squared error on the first TV_IMAGES images."""
    check_pair(noisy, clean)
    noisy, clean = noisy[:TV_IMAGES], clean[:TV_IMAGES]
    errors = [np.square(denoise_tv(noisy, weight=weight) - clean).mean() for weight in TV_WEIGHTS]
    return float(TV_WEIGHTS[np.argmin(errors)])


def fit_rivals(noisy: np.ndarray, clean: np.ndarray, *, pca: Affine) -> dict[str, Denoise]:
    """Return every rival, fitted on training images: from noisy images to denoised ones in [0, 1].

    pca: PCA-2 of the clean training images, the same at every noise level.
    """
    pairs = moments(noisy, clean)
    mean_image = Affine(np.zeros_like(pairs.yx), pairs.mean_x)
    weight = fit_tv(noisy, clean)

    return {
        "identity": lambda images: images,
        "mean_image": functools.partial(_apply_clipped, mean_image),
        "pca": functools.partial(_apply_clipped, pca),
        "linear_rank_2": functools.partial(_apply_clipped, fit_affine(pairs, rank=2)),
        "linear": functools.partial(_apply_clipped, fit_affine(pairs)),
        "total_variation": functools.partial(_denoise_tv_clipped, weight),
    }


def _apply_clipped(affine: Affine, images: np.ndarray) -> np.ndarray:
    return np.clip(apply_affine(affine, images), 0, 1)


def _denoise_tv_clipped(weight: float, images: np.ndarray) -> np.ndarray:
    return np.clip(denoise_tv(images, weight=weight), 0, 1)
