"""PSNR and SSIM of each image: f32[B, H, W, C] in [0, 1] twice → [B]; where two curves cross.

The caller averages. Raises InputError for two shapes that differ.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jax.typing import ArrayLike

from jaxae.core.images import check_pair
from jaxae.errors import InputError

SSIM_WINDOW = 11
BORDER = SSIM_WINDOW // 2
STACK_VALUES = 200_000
"""Values of a tall picture: fewer cost more overhead, more do not fit the cache."""
THREADS = 8
"""Most threads: each needs memory for some ten tall pictures."""


def psnr(mse: ArrayLike) -> np.ndarray:
    """Return the peak signal-to-noise ratio in dB of an MSE, for a peak of 1: -10 log₁₀ MSE.

    It is infinite for an MSE of 0, and computed in float64.
    """
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(np.asarray(mse, np.float64))


def image_psnr(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the PSNR of each image in dB, f64[B]."""
    check_pair(output, target)
    error = np.subtract(output, target, dtype=np.float64)

    return psnr(np.square(error).mean(axis=(-3, -2, -1)))


def ssim(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each image, as in Wang et al. 2004, mean over channels.

    The window is Gaussian with σ = 1.5, 11×11; only its valid region counts. Computed by
    scikit-image. Images are stacked into tall pictures, and the maps cut up again: no window of
    the valid region of one image reaches into the next, so the numbers are those of a loop.
    """
    check_pair(output, target)
    if min(output.shape[1:3]) < SSIM_WINDOW or not output.shape[3]:
        raise InputError(
            f"images have the shape {list(output.shape)}: SSIM's window needs a height and width "
            f"of {SSIM_WINDOW} or more, and a channel"
        )

    size = max(1, STACK_VALUES // math.prod(output.shape[1:]))
    starts = range(0, len(output), size)
    outputs = [output[start : start + size] for start in starts]
    targets = [target[start : start + size] for start in starts]

    # SciPy's filters and NumPy release the interpreter lock.
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        return np.concatenate([np.zeros(0), *pool.map(_ssim_of_stack, outputs, targets)])


def break_even(levels: Sequence[float], ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """Return the lowest level above which our error stays below theirs, by linear interpolation.

    None if ours is not below theirs at the highest level.
    """
    above = np.flatnonzero(ours >= theirs)
    if not len(above):
        return float(levels[0])

    i = above[-1]
    if i + 1 == len(levels):
        return None

    gap = ours[i : i + 2] - theirs[i : i + 2]
    return float(levels[i] + (levels[i + 1] - levels[i]) * gap[0] / (gap[0] - gap[1]))


def _ssim_of_stack(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    from skimage.metrics import structural_similarity  # SciPy is slow to import

    _, similarity = structural_similarity(
        _tall(output),
        _tall(target),
        channel_axis=-1,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    valid = slice(BORDER, -BORDER)

    return np.asarray(similarity).reshape(output.shape)[:, valid, valid].mean(axis=(-3, -2, -1))


def _tall(images: np.ndarray) -> np.ndarray:
    """Return images on top of each other as one, f64[B · H, W, C]."""
    return np.asarray(images, np.float64).reshape(-1, *images.shape[2:])
