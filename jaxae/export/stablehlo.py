"""A part of a model as a StableHLO program of jax.export: it runs where JAX is, without jaxae.

The folded weights are inside the program. It runs on CPU, CUDA and TPU and takes a batch of one
image or more. Images are f32[batch, H, W, C], latents f32[batch, latent_dim].
"""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import FoldedModel, Part

PLATFORMS = ("cpu", "cuda", "tpu")
SOURCE_LOCATIONS = "jax_traceback_in_locations_limit"
"""JAX's setting for how many source locations a program holds."""


def stablehlo(folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]) -> bytes:
    """Return the contents of a .stablehlo file.

    image_shape: height, width, channels. The program multiplies in full float32 on GPUs and TPUs
    too. Raises InputError if flatbuffers is not installed.
    """
    layers = folded.layers(part)
    pixels_or_latents = layers[0].kernel.shape[0]

    def apply(x: jax.Array) -> jax.Array:
        rows = x.reshape(x.shape[0], pixels_or_latents)

        for layer in layers:
            rows = jnp.dot(rows, layer.kernel, precision="highest") + layer.bias
            if layer.activation != "linear":
                rows = getattr(jax.nn, layer.activation)(rows)

        if part == "encoder":
            return rows
        return rows.reshape(x.shape[0], *image_shape)

    (batch,) = jax.export.symbolic_shape("batch")
    item_shape = (pixels_or_latents,) if part == "decoder" else image_shape
    x = jax.ShapeDtypeStruct((batch, *item_shape), jnp.float32)

    with _no_source_locations():
        program = jax.export.export(jax.jit(apply), platforms=PLATFORMS)(x)
        try:
            return bytes(program.serialize())
        except ImportError:
            raise InputError(
                "flatbuffers, which jax.export needs, is not installed: "
                "pip install flatbuffers, or leave stablehlo out of the formats"
            ) from None


@contextmanager
def _no_source_locations() -> Iterator[None]:
    """Keep the paths of this machine's source files out of the program."""
    limit = getattr(jax.config, SOURCE_LOCATIONS)
    jax.config.update(SOURCE_LOCATIONS, 0)
    try:
        yield
    finally:
        jax.config.update(SOURCE_LOCATIONS, limit)
