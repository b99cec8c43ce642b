"""Images as arrays. In all of core they are f32[B, H, W, C] in [0, 1]; here they are brought to that, or refused."""

import math
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxae.errors import InputError, brief

Array = TypeVar("Array", jax.Array, np.ndarray)
ROUNDING = 1e-5
"""How far outside [0, 1] a float may lie: resizing and averaging leave such."""


def to_unit(images: Array) -> Array:
    """u8[...] → f32[...] in [0, 1], in JAX or in NumPy as the images are."""
    return images.astype(jnp.float32) / 255.0


def with_channels(images: Array) -> Array:
    """[N, H, W] → [N, H, W, 1]; [N, H, W, C] as it is. Raises InputError for any other number of axes."""
    if images.ndim not in (3, 4):
        raise InputError(
            f"images have the shape {list(images.shape)}: give [N, height, width] or [N, height, width, channels]"
        )
    return images if images.ndim == 4 else images[..., None]


def as_rows(images: jax.Array) -> jax.Array:
    """[B, H, W, C] → [B, 1, 1, H·W·C], the same values in the same order.

    XLA's loops on a CPU run along the last axis, and a step on [B, 28, 28, 1] takes 10 % longer than on [B, 1, 1, 784].
    """
    return jnp.reshape(images, (images.shape[0], 1, 1, math.prod(images.shape[1:])))


def as_unit(images: ArrayLike) -> np.ndarray:
    """Images as people have them → f32[N, H, W, C] in [0, 1]: uint8 is divided by 255, floats are taken as they are.

    Raises InputError for other dtypes, and for floats that are not finite or not in [0, 1].
    """
    array = with_channels(as_array("images", images))
    if array.dtype == np.uint8:
        return to_unit(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"images are {array.dtype}: give uint8 in 0 ... 255, or floats in [0, 1]")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false for NaN too
        raise InputError(
            f"images have values from {low:g} to {high:g}: give floats in [0, 1], or uint8 in 0 ... 255"
        )
    return np.clip(array, 0, 1).astype(np.float32)


def as_array(name: str, values: ArrayLike) -> np.ndarray:
    """Numbers as people have them, nested lists too, as a NumPy array. Raises InputError for lists of no one shape."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{name} are not an array ({brief(error)}): give an array, or lists of one length"
        ) from error


def check_pair(output: ArrayLike, target: ArrayLike) -> None:
    """Raises InputError unless both are [B, H, W, C] of one shape: broadcasting would give a number without a meaning."""
    shapes = [list(np.shape(images)) for images in (output, target)]
    if shapes[0] != shapes[1] or len(shapes[0]) != 4:
        raise InputError(
            f"images have the shapes {shapes[0]} and {shapes[1]}: give two of one shape [B, H, W, C]"
        )
