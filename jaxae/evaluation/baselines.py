"""Simple rivals of the network: affine maps fitted in closed form, and total variation.

Images are f32[N, H, W, C] in [0, 1].
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxae.core.images import check_pair
from jaxae.data.dataset import sample
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
    """The moments of pairs (noisy y, clean x) that least squares need, in float64."""

    mean_y: np.ndarray
    mean_x: np.ndarray
    yy: np.ndarray
    """The sum of products of centred y and y."""
    yx: np.ndarray
    """The sum of products of centred y and x."""


def moments(noisy: np.ndarray, clean: np.ndarray) -> Moments:
    """Return the moments of pairs of images. Raises InputError for two shapes that differ."""
    check_pair(noisy, clean)
    y = noisy.reshape(len(noisy), -1)
    x = clean.reshape(len(clean), -1)
    mean_y = y.mean(axis=0, dtype=np.float64)
    mean_x = x.mean(axis=0, dtype=np.float64)

    pixels = y.shape[1]
    yy = np.zeros((pixels, pixels))
    yx = np.zeros((pixels, pixels))
    for start in range(0, len(y), CHUNK):
        rows = slice(start, start + CHUNK)
        centred = y[rows] - mean_y
        yy += centred.T @ centred
        yx += centred.T @ (x[rows] - mean_x)

    return Moments(mean_y, mean_x, yy, yx)


def fit_affine(pairs: Moments, *, rank: int | None = None) -> Affine:
    """Return the affine map of this rank from noisy to clean with the least squared error.

    This is reduced-rank regression (Izenman 1975). Rank 0 is the mean image; None is the linear
    MMSE denoiser. Fitted from clean to clean images, rank 2 is PCA-2. Raises InputError.
    """
    if rank is not None and not 0 <= rank <= len(pairs.yx):
        raise InputError(f"rank is {rank}: give 0 to {len(pairs.yx)}, or None")

    matrix = np.linalg.pinv(pairs.yy, rcond=1e-10, hermitian=True) @ pairs.yx
    if rank is not None:
        # The covariance of the predictions, with ascending eigenvalues.
        _, vectors = np.linalg.eigh(pairs.yx.T @ matrix)
        top = vectors[:, len(vectors) - rank :]
        matrix = matrix @ top @ top.T

    return Affine(matrix, pairs.mean_x - pairs.mean_y @ matrix)


def fit_pca(images: np.ndarray, *, rank: int = 2) -> tuple[Affine, np.ndarray]:
    """Return the projection of images on their principal axes, and the axes, f64[H·W·C, rank]."""
    from scipy.sparse.linalg import svds  # SciPy is slow to import

    pixels = images.reshape(len(images), -1).astype(np.float64)
    mean = pixels.mean(axis=0)
    pixels -= mean
    start = np.ones(min(pixels.shape))
    _, _, ascending = svds(pixels, k=rank, v0=start, return_singular_vectors="vh")
    axes = ascending[::-1].T
    projection = axes @ axes.T

    return Affine(projection, mean - mean @ projection), axes


def apply_affine(affine: Affine, images: np.ndarray) -> np.ndarray:
    """Return the map's output, f32[N, H, W, C], not clipped to [0, 1]."""
    matrix = affine.matrix.astype(np.float32)
    offset = affine.offset.astype(np.float32)
    pixels = images.reshape(len(images), -1)

    return (pixels @ matrix + offset).reshape(images.shape)


def denoise_tv(images: np.ndarray, *, weight: float) -> np.ndarray:
    """Return images denoised by total variation (Chambolle 2004), through scikit-image.

    A greater weight gives smoother images.
    """
    from skimage.restoration import denoise_tv_chambolle  # SciPy is slow to import

    denoised = [denoise_tv_chambolle(image, weight=weight, channel_axis=-1) for image in images]

    return np.array(denoised, np.float32).reshape(images.shape)


def fit_tv(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Return the one of TV_WEIGHTS with the least squared error on a sample of TV_IMAGES images."""
    check_pair(noisy, clean)
    chosen = sample(len(clean), TV_IMAGES)
    noisy = noisy[chosen]
    clean = clean[chosen]
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
