"""Images as arrays: bytes to floats in [0, 1], and pairs of one shape."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxae.errors import InputError


def check_pair(output: ArrayLike, target: ArrayLike) -> None:
    """Raises InputError unless both are [B, height, width] of one shape: broadcasting would give a number without a meaning."""
    shapes = [list(np.shape(images)) for images in (output, target)]
    if shapes[0] != shapes[1] or len(shapes[0]) != 3:
        raise InputError(f"images have the shapes {shapes[0]} and {shapes[1]}: give two of one shape [B, height, width]")


Array = TypeVar("Array", jax.Array, np.ndarray)


def to_unit(images: Array) -> Array:
    """u8[...] → f32[...] in [0, 1], in JAX or in NumPy as the images are."""
    return images.astype(jnp.float32) / 255.0
