"""A trained model as plain layers: BatchNorm's running statistics are folded into the Dense layers, as NumPy arrays.

Dense → BatchNorm is an affine map once the statistics stand still: (xK − mean)·s + offset with s = scale / √(var + ε)
is x(K·s) + (offset − mean·s).
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxae.core.model import BATCH_NORM_EPSILON
from jaxae.inference import Run

Part = Literal["encoder", "decoder", "denoiser"]
"""What is exported: images → latents, latents → images, images → images."""
PARTS: tuple[Part, ...] = ("encoder", "decoder", "denoiser")


class DenseLayer(NamedTuple):
    """x ↦ activation(x @ kernel + bias)."""

    kernel: np.ndarray
    """f32[in, out]."""
    bias: np.ndarray
    """f32[out]."""
    activation: str
    """relu, linear or sigmoid."""


class FoldedModel(NamedTuple):
    """The two halves of an autoencoder, layer by layer. Images are rows f32[B, H·W·C] in [0, 1], in C order."""

    encoder: tuple[DenseLayer, ...]
    decoder: tuple[DenseLayer, ...]

    def layers(self, part: Part) -> tuple[DenseLayer, ...]:
        """The layers of one part; the denoiser is the encoder with the decoder behind it."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "denoiser": self.encoder + self.decoder,
        }[part]


def fold_batch_norm(run: Run) -> FoldedModel:
    """The run's model as evaluation uses it, without BatchNorm and dropout. Folded in float64, rounded to float32 once."""
    return FoldedModel(
        _fold(run.variables, "encoder", output="linear"),
        _fold(run.variables, "decoder", output="sigmoid"),
    )


def _fold(variables: Mapping[str, Any], half: str, *, output: str) -> tuple[DenseLayer, ...]:
    params = variables["params"][half]
    statistics = variables["batch_stats"][half]
    count = sum(name.startswith("dense_") for name in params)
    return tuple(_fold_layer(params, statistics, i, output=output) for i in range(count))


def _fold_layer(
    params: Mapping[str, Any], statistics: Mapping[str, Any], i: int, *, output: str
) -> DenseLayer:
    dense = params[f"dense_{i}"]
    kernel = _float64(dense["kernel"])
    norm = params.get(f"batch_norm_{i}")
    if norm is None:  # the last layer of a half has none, unless the latents are ReLU's
        return _layer(kernel, _float64(dense["bias"]), output)

    running = statistics[f"batch_norm_{i}"]
    factor = _float64(norm["scale"]) / np.sqrt(_float64(running["var"]) + BATCH_NORM_EPSILON)
    bias = _float64(norm["bias"]) - _float64(running["mean"]) * factor
    return _layer(kernel * factor, bias, "relu")


def _layer(kernel: np.ndarray, bias: np.ndarray, activation: str) -> DenseLayer:
    return DenseLayer(kernel.astype(np.float32), bias.astype(np.float32), activation)


def _float64(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64)
