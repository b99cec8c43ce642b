"""The network's weights as the explorer's page holds them: in fewer bits where there are many.

A network of up to MOST_HALVES weights is stored in half precision. Of a larger one, such as for
photographs, the large kernels are stored as whole numbers times a scale a column, deflated.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel

Precision = Literal["i8", "f16", "f32"]
NARROW = 10_000
"""Kernels with fewer weights stay in single precision.

All of them together take 100 kB, and in half precision a pixel may be off by 0.1.
"""
MOST_HALVES = 3_000_000
"""Most weights of both halves in half precision: 8 MB of a page."""
LARGE = 500_000
"""Kernels with fewer weights are never stored as whole numbers."""
ENCODER_LEVELS = 3
DECODER_LEVELS = 63
"""The largest whole number of a kernel. Pixels are wanted more exactly than places on the map."""
DAMPING = 1e-4


class PackedLayer(NamedTuple):
    """A layer as the page computes it, and how it is stored."""

    layer: DenseLayer
    precision: Precision
    whole: np.ndarray | None = None
    """i8[in, out]."""
    scale: np.ndarray | None = None
    """f32[out]."""


class PackedModel(NamedTuple):
    """The layers of encoder and decoder."""

    encoder: tuple[PackedLayer, ...]
    decoder: tuple[PackedLayer, ...]


def pack(folded: FoldedModel, latents: np.ndarray) -> PackedModel:
    """Return the network in the page's precisions.

    latents: f32[N, 2], places of the map where the decoder's pixels are to stay as they are.
    """
    wide = [layer.kernel.size for layer in folded.layers("denoiser") if layer.kernel.size >= NARROW]
    halves = sum(wide) <= MOST_HALVES

    encoder = []
    for layer in folded.encoder:
        whole = not halves and layer.kernel.size >= LARGE
        encoder.append(_whole(layer, ENCODER_LEVELS) if whole else _float(layer))

    decoder = []
    x = latents
    for layer in folded.decoder:
        whole = not halves and layer.kernel.size >= LARGE
        packed = _whole(layer, DECODER_LEVELS, inputs=x) if whole else _float(layer)
        decoder.append(packed)
        x = apply(packed.layer, x)

    return PackedModel(tuple(encoder), tuple(decoder))


def apply(layer: DenseLayer, x: np.ndarray) -> np.ndarray:
    """Return activation(x @ kernel + bias), f32[N, out]."""
    y = x @ layer.kernel.astype(np.float32) + layer.bias.astype(np.float32)
    if layer.activation == "relu":
        return np.maximum(y, 0)
    if layer.activation == "sigmoid":
        return np.asarray((1 + np.tanh(y / 2)) / 2)
    return np.asarray(y)


def as_texts(layers: Sequence[PackedLayer]) -> dict[Precision, str]:
    """Return the numbers of each precision, those of one layer after those of another, in base64.

    f16 and f32: kernels and biases. i8: kernels, deflated; their scales and biases are in f32.
    """
    numbers: dict[Precision, bytes] = {"i8": b"", "f16": b"", "f32": b""}
    for layer, precision, whole, scale in layers:
        if whole is None or scale is None:
            dtype = "<f2" if precision == "f16" else "<f4"
            numbers[precision] += layer.kernel.astype(dtype).tobytes()
            numbers[precision] += layer.bias.astype(dtype).tobytes()
        else:
            numbers["i8"] += whole.tobytes()
            numbers["f32"] += scale.astype("<f4").tobytes() + layer.bias.astype("<f4").tobytes()

    numbers["i8"] = zlib.compress(numbers["i8"], 9)
    return {precision: base64.b64encode(each).decode() for precision, each in numbers.items()}


def _float(layer: DenseLayer) -> PackedLayer:
    largest = max(np.abs(layer.kernel).max(), np.abs(layer.bias).max())
    fits = largest <= np.finfo(np.float16).max
    if not fits or layer.kernel.size < NARROW:
        return PackedLayer(layer, "f32")

    rounded = [each.astype(np.float16).astype(np.float32) for each in (layer.kernel, layer.bias)]
    return PackedLayer(layer._replace(kernel=rounded[0], bias=rounded[1]), "f16")


def _whole(layer: DenseLayer, levels: int, *, inputs: np.ndarray | None = None) -> PackedLayer:
    """Return the layer with a kernel of whole numbers up to levels, times a scale a column."""
    scale = np.abs(layer.kernel).max(axis=0) / np.float32(levels)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    if inputs is None:
        whole = np.round(layer.kernel / scale).astype(np.int8)
    else:
        whole = _fitted(layer.kernel, scale, levels, inputs)
    return PackedLayer(layer._replace(kernel=whole * scale), "i8", whole, scale)


def _fitted(kernel: np.ndarray, scale: np.ndarray, levels: int, inputs: np.ndarray) -> np.ndarray:
    """Return whole numbers i8[in, out] such that inputs @ (whole · scale) ≈ inputs @ kernel.

    GPTQ (Frantar et al. 2023): row after row is rounded, and the rows to come make up for the
    error, as far as the inputs, f[N, in], go together.
    """
    rest = kernel.astype(np.float64)
    gram = inputs.T.astype(np.float64) @ inputs
    gram += DAMPING * (np.mean(np.diag(gram)) + 1e-9) * np.eye(len(gram))
    factor = np.linalg.cholesky(np.linalg.inv(gram)).T

    whole = np.empty(kernel.shape, np.int8)
    for i, row in enumerate(rest):
        whole[i] = np.clip(np.round(row / scale), -levels, levels)
        error = (row - whole[i] * scale) / factor[i, i]
        rest[i + 1 :] -= np.outer(factor[i, i + 1 :], error)
    return whole
