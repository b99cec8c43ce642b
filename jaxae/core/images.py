"""Images as arrays. In all of core they are f32[B, H, W, C] in [0, 1]."""

import math
from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxae.errors import InputError

ROUNDING = 1e-5
"""How far outside [0, 1] a float may lie: resizing and averaging leave such."""

DARKEST = 16
"""Bytes up to this are of another scale than 0 ... 255: 0 and 1, 0 ... 16, or 12 bits of 16."""

CHANNELS = (1, 3, 4)

Array = TypeVar("Array", jax.Array, np.ndarray)


def to_unit(images: Array) -> Array:
    """Scale u8[...] to f32[...] in [0, 1], in JAX or in NumPy as the images are."""
    return images.astype(jnp.float32) / 255.0


def as_rows(images: jax.Array) -> jax.Array:
    """Reshape [B, H, W, C] to [B, 1, 1, H·W·C], the same values in the same order.

    XLA's loops on a CPU run along the last axis: a step on [B, 28, 28, 1] takes 10 % longer.
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
