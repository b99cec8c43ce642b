"""A trained model as plain layers, as NumPy arrays: BatchNorm is folded into the Dense layers.

With fixed statistics Dense → BatchNorm is an affine map: (xK − mean)·s + offset with
s = scale / √(var + ε) is x(K·s) + (offset − mean·s).
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxae.core.model import BATCH_NORM_EPSILON
from jaxae.inference import Run

Part = Literal["encoder", "decoder", "denoiser"]
"""encoder: images → latents; decoder: latents → images; denoiser: images → images."""
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
    """The layers of encoder and decoder. Images are rows f32[B, H·W·C] in [0, 1], in C order."""

    encoder: tuple[DenseLayer, ...]
    decoder: tuple[DenseLayer, ...]

    def layers(self, part: Part) -> tuple[DenseLayer, ...]:
        """Return the layers of a part; the denoiser is the encoder followed by the decoder."""
        if part == "encoder":
            return self.encoder
        if part == "decoder":
            return self.decoder
        return self.encoder + self.decoder


def fold_batch_norm(run: Run) -> FoldedModel:
    """Return the run's model as evaluation uses it, without BatchNorm and dropout.

    It is folded in float64, and rounded to float32 once.
    """
    return FoldedModel(
        encoder=_fold(run.variables, "encoder", output="linear"),
        decoder=_fold(run.variables, "decoder", output="sigmoid"),
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
    if norm is None:  # the last layer, but not that of a ReLU latent
        return _layer(kernel, _float64(dense["bias"]), output)

    running = statistics[f"batch_norm_{i}"]
    deviation = np.sqrt(_float64(running["var"]) + BATCH_NORM_EPSILON)
    factor = _float64(norm["scale"]) / deviation
    bias = _float64(norm["bias"]) - _float64(running["mean"]) * factor
    return _layer(kernel * factor, bias, "relu")


def _layer(kernel: np.ndarray, bias: np.ndarray, activation: str) -> DenseLayer:
    return DenseLayer(kernel.astype(np.float32), bias.astype(np.float32), activation)


def _float64(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64)
