"""A part of a model as a StableHLO program of jax.export, which runs where JAX is: neither jaxae nor Flax is needed.

Two variants: with the folded weights inside; and the model as jaxae itself runs it, with the weights as an input.
Programs are for CPU, CUDA and TPU, and a batch of one or more. Images are f32[batch, H, W, C], latents f32[batch, latent_dim].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import FoldedModel, Part
from jaxae.inference import Run
from jaxae.runs.manifest import named_leaves

PLATFORMS = ("cpu", "cuda", "tpu")
LOCATIONS = "jax_traceback_in_locations_limit"
"""JAX's setting that would put the paths of this machine's sources into the file."""
METHODS = {"encoder": "encode", "decoder": "decode", "denoiser": "__call__"}


def stablehlo(folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]) -> bytes:
    """A program that holds the folded weights. It multiplies in full float32 on GPUs and TPUs too. Raises InputError."""

    def apply(x: jax.Array) -> jax.Array:
        rows = x.reshape(x.shape[0], folded.layers(part)[0].kernel.shape[0])
        for layer in folded.layers(part):
            rows = jnp.dot(rows, layer.kernel, precision="highest") + layer.bias
            rows = getattr(jax.nn, layer.activation)(rows) if layer.activation != "linear" else rows
        return rows if part == "encoder" else rows.reshape(x.shape[0], *image_shape)

    return _serialised(apply, _input_shape(part, image_shape, folded.decoder[0].kernel.shape[0]))


def stablehlo_of_weights(run: Run, part: Part) -> bytes:
    """A program of two inputs, weights_of and the part's own: the model as jaxae runs it, for weights that may change."""

    def apply(weights: dict[str, jax.Array], x: jax.Array) -> Any:
        leaves = [weights[name] for name in named_leaves(run.variables)]
        variables = jax.tree.unflatten(jax.tree.structure(run.variables), leaves)
        return run.model.apply(variables, x, method=METHODS[part])

    weights = {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in weights_of(run).items()
    }
    return _serialised(
        apply, weights, _input_shape(part, run.model.image_shape, run.model.latent_dim)
    )


def weights_of(run: Run) -> dict[str, np.ndarray]:
    """The model's variables by their paths, such as params/encoder/dense_0/kernel; BatchNorm is not folded."""
    return {name: np.asarray(leaf) for name, leaf in named_leaves(run.variables).items()}


def _input_shape(
    part: Part, image_shape: tuple[int, int, int], latent_dim: int
) -> jax.ShapeDtypeStruct:
    (batch,) = jax.export.symbolic_shape("batch")
    return jax.ShapeDtypeStruct(
        (batch, *((latent_dim,) if part == "decoder" else image_shape)), jnp.float32
    )


def _serialised(function: Callable[..., Any], *inputs: Any) -> bytes:
    limit = getattr(jax.config, LOCATIONS)
    try:
        jax.config.update(LOCATIONS, 0)
        return bytes(jax.export.export(jax.jit(function), platforms=PLATFORMS)(*inputs).serialize())
    except ImportError:
        advice = "pip install flatbuffers, or leave stablehlo out of --to"
        raise InputError(
            f"flatbuffers, which jax.export needs, is not installed: {advice}"
        ) from None
    finally:
        jax.config.update(LOCATIONS, limit)
