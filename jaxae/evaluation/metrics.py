"""Quality of a reconstruction, per image: f32[B, H, W, C] in [0, 1] twice → [B]. The caller averages.

Raises InputError for two shapes that differ.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jax.typing import ArrayLike

from jaxae.core.images import check_pair
from jaxae.errors import InputError

SSIM_WINDOW = 11
STACK_VALUES = 200_000
"""Values of one tall picture: with fewer, the work around them shows; more leave the cache."""
THREADS = 8
"""At most: each has some ten arrays of a tall picture."""


def psnr(mse: ArrayLike) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of a mean squared error, for a peak of 1: -10 log₁₀ MSE; inf for 0. In float64."""
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(np.asarray(mse, np.float64))


def ssim(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Structural similarity as in Wang et al. 2004 (Gaussian window σ = 1.5, 11×11, valid region), mean over
    channels, through scikit-image.

    Images are stacked into tall pictures and the maps cut up again: no window of the valid region of one image
    reaches into the next, so the numbers are those of a loop, at a fraction of its time.
    """
    check_pair(output, target)
    if min(output.shape[1:3]) < SSIM_WINDOW:
        raise InputError(
            f"images have the shape {list(output.shape)}: SSIM's window wants a height and width of {SSIM_WINDOW} or more"
        )
    size = max(1, STACK_VALUES // math.prod(output.shape[1:]))
    starts = range(0, len(output), size)
    with ThreadPoolExecutor(
        min(THREADS, os.cpu_count() or 1)
    ) as pool:  # SciPy's filters and NumPy let go of the interpreter
        parts = pool.map(
            lambda start: _ssim_of_stack(*(x[start : start + size] for x in (output, target))),
            starts,
        )
        return np.concatenate([np.zeros(0), *parts])


def _ssim_of_stack(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    from skimage.metrics import (
        structural_similarity,
    )  # here, not above: training need not wait for SciPy

    tall = [
        np.asarray(images, np.float64).reshape(-1, *images.shape[2:]) for images in (output, target)
    ]
    result = structural_similarity(
        *tall,
        channel_axis=-1,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(result[1]).reshape(output.shape)[:, 5:-5, 5:-5].mean(axis=(-3, -2, -1))


def image_psnr(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """PSNR of each image in dB. f32[B, H, W, C] in [0, 1] twice → f64[B]."""
    check_pair(output, target)
    return psnr(np.square(np.subtract(output, target, dtype=np.float64)).mean(axis=(-3, -2, -1)))
