"""What the explorer's page carries, as JSON values: the folded network, the test images, their latents and errors."""

import base64
import io
import math
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from jaxae.data.dataset import Dataset, Split
from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import DenseLayer, fold_batch_norm
from jaxae.figures.map_view import robust_view
from jaxae.figures.style import class_colours
from jaxae.inference import Run, decode, encode, reconstruct

Weights = Literal["f16", "f32"]
NARROW = 10_000
"""Kernels of fewer weights stay in single precision: all of them take 100 kB, and in f16 a pixel may be off by 0.1."""
MOST_PIXELS = 2**25
"""Of all images together: what a phone's browser still opens."""
SIDE = 4096
"""Most pixels along a side of a picture: phones refuse larger canvases."""
WEBP_QUALITY = 75
MOST_COLOURS = 100
"""Classes beyond so many take the colours of the first again."""


def page_data(run: Run, dataset: Dataset, *, weights: Weights, small: bool) -> dict[str, Any]:
    """All that the page's script reads. small: the images as lossy WebP. Raises InputError."""
    total, shape = len(dataset.test.images), dataset.image_shape
    count = min(total, max(1, MOST_PIXELS // math.prod(shape)))
    test, order = _sorted_by_class(dataset.test, count)
    latents = encode(run, test.images)
    errors = np.square(reconstruct(run, test.images) - test.images / np.float32(255)).mean(
        axis=(1, 2, 3)
    )
    view, folded = robust_view(latents), fold_batch_norm(run)
    names = list(dataset.class_names if test.labels is not None else ())
    colours = class_colours(min(max(len(names), 1), MOST_COLOURS))
    return {
        "shape": list(shape),
        "count": count,
        "total": total,
        "about": f"The model sends each image through two numbers: its place on the map. Weights: epoch {run.epoch}.",
        "weights": _pack_weights([*folded.encoder, *folded.decoder], weights),
        "accuracy": _accuracy(run, latents[:: max(1, count // 500)], weights, small=small),
        "noise": run.config.noise_factor,
        "classes": names,
        "colours": {
            "light": [to_hex(colour) for colour in colours],
            "dark": [_on_dark(colour) for colour in colours],
        },
        "maps": {name: _text(_colour_map(name)) for name in ("inferno", "cividis")},
        "view": {"low": view.low.tolist(), "high": view.high.tolist()},
        "network": {
            half: _describe(folded.layers(half), weights) for half in ("encoder", "decoder")
        },
        "latents": _text(latents.astype("<f4")),
        "errors": _text(errors.astype("<f4")),
        "indices": _text(order.astype("<i4")),
        "labels": _text((np.zeros(count) if test.labels is None else test.labels).astype("<i4")),
        "sheets": _sheets(test.images, small=small),
    }


def _sorted_by_class(part: Split, count: int) -> tuple[Split, np.ndarray]:
    """The first images with equal labels side by side, in which form they compress best, and int[N], where each was."""
    if part.labels is None:
        return Split(part.images[:count]), np.arange(count)
    order = np.argsort(part.labels[:count], kind="stable")
    return Split(part.images[order], part.labels[order]), order


def _precision(kernel: np.ndarray, weights: Weights) -> Weights:
    return weights if kernel.size >= NARROW else "f32"


def _pack_weights(layers: list[DenseLayer], weights: Weights) -> dict[str, str]:
    """Of each precision the kernels and biases of its layers, one after another. Raises InputError."""
    packed: dict[str, list[np.ndarray]] = {"f16": [np.empty(0, "<f2")], "f32": [np.empty(0, "<f4")]}
    for layer in layers:
        precision = _precision(layer.kernel, weights)
        for array in layer[:2]:
            with np.errstate(over="ignore"):
                packed[precision].append(array.ravel().astype(packed[precision][0].dtype))
            if not np.isfinite(packed[precision][-1]).all():
                raise InputError(
                    f"a weight of the model is {np.abs(array).max():g}, too large for f16: give --weights f32"
                )
    return {precision: _text(np.concatenate(arrays)) for precision, arrays in packed.items()}


def _describe(layers: tuple[DenseLayer, ...], weights: Weights) -> list[dict[str, Any]]:
    return [
        {
            "inputs": len(kernel),
            "outputs": len(bias),
            "activation": activation,
            "precision": _precision(kernel, weights),
        }
        for kernel, bias, activation in layers
    ]


def _accuracy(run: Run, latents: np.ndarray, weights: Weights, *, small: bool) -> str:
    """A sentence for the page: how far its decoder, and its images, are from jaxae's."""
    x = latents
    for kernel, bias, activation in fold_batch_norm(run).decoder:
        if _precision(kernel, weights) == "f16":
            kernel, bias = (array.astype(np.float16).astype(np.float32) for array in (kernel, bias))
        x = x @ kernel + bias
        x = np.maximum(x, 0) if activation == "relu" else x
    error = np.abs((1 + np.tanh(x / 2)) / 2 - decode(run, latents).reshape(x.shape))
    precision = {"f16": "half", "f32": "single"}[weights]
    text = f"The network runs here with {precision}-precision weights. At the places of {len(latents):,} test images its decoded "
    text += f"pixels differ from jaxae's by at most {error.max():.1g}, by {error.mean():.1g} on average (white is 1)."
    return text + (
        " The test images are compressed with loss, which moves every number a little."
        if small
        else ""
    )


def _sheets(images: np.ndarray, *, small: bool) -> dict[str, Any]:
    """The images as tiles of few pictures. Images of three channels are colour tiles; else each channel is a grey tile."""
    count, height, width, channels = images.shape
    tiles = (
        images
        if channels == 3
        else images.transpose(0, 3, 1, 2).reshape(count, channels * height, width, 1)
    )
    columns = max(1, min(math.ceil(math.sqrt(count)), SIDE // tiles.shape[2]))
    per_sheet = columns * max(1, SIDE // tiles.shape[1])
    return {
        "type": "image/webp" if small else "image/png",
        "sum": None if small else int(images.sum(dtype=np.int64)),
        "pictures": [
            _sheet(tiles[i : i + per_sheet], columns, small=small)
            for i in range(0, count, per_sheet)
        ],
    }


def _sheet(tiles: np.ndarray, columns: int, *, small: bool) -> str:
    count, height, width, depth = tiles.shape
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, depth), np.uint8)
    padded[:count] = tiles
    sheet = (
        padded.reshape(rows, columns, height, width, depth)
        .swapaxes(1, 2)
        .reshape(rows * height, columns * width, depth)
    )
    file = io.BytesIO()
    picture = Image.fromarray(sheet[..., 0] if depth == 1 else sheet)
    if small:
        picture.save(file, "WEBP", quality=WEBP_QUALITY)
    else:
        picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _colour_map(name: str) -> np.ndarray:
    return matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]


def _on_dark(colour: Any) -> str:
    """A class's colour on a dark page: near-black becomes near-white."""
    return "#f2f2f2" if max(matplotlib.colors.to_rgb(colour)) < 0.2 else to_hex(colour)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
