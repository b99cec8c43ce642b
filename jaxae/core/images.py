"""Images as arrays. In all of core they are f32[B, H, W, C] in [0, 1]."""

import math
from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike

from jaxae.errors import InputError, brief

ROUNDING = 1e-5
"""How far outside [0, 1] a float may lie: resizing and averaging leave such."""

DARKEST = 16
"""Bytes up to this are of another scale than 0 ... 255: 0 and 1, 0 ... 16, or 12 bits of 16."""

CHANNELS = (1, 3, 4)

Array = TypeVar("Array", jax.Array, np.ndarray)


def to_unit(images: Array) -> Array:
    """Scale u8[...] to f32[...] in [0, 1], in JAX or in NumPy as the images are.

    >>> to_unit(np.array([0, 51, 255], np.uint8)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    return images.astype(jnp.float32) / 255.0


def as_rows(images: jax.Array) -> jax.Array:
    """Reshape [B, H, W, C] to [B, 1, 1, H·W·C], the same values in the same order.

    XLA's loops on a CPU run along the last axis: a step on [B, 28, 28, 1] takes 10 % longer.

    >>> as_rows(images).shape
    (256, 1, 1, 784)
    """
    return jnp.reshape(images, (images.shape[0], 1, 1, math.prod(images.shape[1:])))


def check_axes(shape: Sequence[int], *, what: str = "images") -> None:
    """Raise InputError for [N, C, H, W]: the second axis is 1, 3 or 4 long, and the last is not."""
    if len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS:
        raise InputError(
            f"{what} have the shape {list(shape)}, with channels first: "
            "give [N, height, width, channels], such as numpy.moveaxis(images, 1, -1)"
        )


def check_pair(output: ArrayLike, target: ArrayLike) -> None:
    """Raise InputError unless both are [B, H, W, C] of one shape: broadcasting hides mistakes."""
    first = list(np.shape(output))
    second = list(np.shape(target))
    if first != second or len(first) != 4:
        raise InputError(
            f"images have the shapes {first} and {second}: give two of one shape [B, H, W, C]"
        )


def as_unit(images: npt.ArrayLike) -> np.ndarray:
    """Return images as people have them as f32[N, H, W, C] in [0, 1].

    images: [N, H, W, C] or [N, H, W]. uint8 is divided by 255, floats are taken as they are. Raises
    InputError for other shapes and dtypes, and for floats that are not finite or not in [0, 1].

    >>> as_unit([[[0.0, 0.5], [0.5, 1.0]]]).shape
    (1, 2, 2, 1)
    """
    return bytes_to_unit(as_bytes_or_unit(images))


def as_bytes_or_unit(images: npt.ArrayLike) -> np.ndarray:
    """Return what as_unit takes as f32 or, still to be divided, as u8: a quarter of the memory."""
    array = as_array("images", images)
    if array.ndim not in (3, 4):
        raise InputError(
            f"images have the shape {list(array.shape)}: "
            "give [N, height, width] or [N, height, width, channels]"
        )
    check_axes(array.shape)
    if array.ndim == 3:
        array = array[..., None]

    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"images are {array.dtype}: give uint8 in 0 ... 255, or floats in [0, 1]")

    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false for NaN too
        raise InputError(
            f"images have values from {low:g} to {high:g}: "
            "give floats in [0, 1], or uint8 in 0 ... 255"
        )
    return np.clip(array, 0, 1).astype(np.float32)


def bytes_to_unit(images: np.ndarray) -> np.ndarray:
    """Return u8[...] scaled to [0, 1], and floats as they are."""
    return to_unit(images) if images.dtype == np.uint8 else images


def as_array(name: str, values: npt.ArrayLike) -> np.ndarray:
    """Return numbers or nested lists as an array. Raises InputError for ragged lists, and masks."""
    check_mask(name, values)
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # the last one is PyTorch's
        raise InputError(
            f"{name} are not an array ({brief(error)}): give an array, or lists of one length"
        ) from error


def check_mask(name: str, values: npt.ArrayLike) -> None:
    """Raise InputError for masked values: as an array they would be what lies under the mask."""
    if np.ma.is_masked(values):
        hidden = np.ma.count_masked(values)
        raise InputError(f"{name} have {hidden:,} masked values: fill them (numpy.ma.filled)")
