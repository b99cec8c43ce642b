"""What the explorer's page holds, as JSON: the network, the images, their latents and errors.

Arrays are base64 texts of little-endian numbers; explorer/arrays.js reads them.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

from jaxae.core.images import to_unit
from jaxae.data.dataset import Dataset, sample
from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel, fold_batch_norm
from jaxae.figures.map_view import robust_view
from jaxae.figures.sheets import Sheets, tiled
from jaxae.figures.style import class_colours
from jaxae.inference import Run, decode, encode, reconstruct

Precision = Literal["f16", "f32"]
NARROW = 10_000
"""Kernels with fewer weights stay in single precision.

All of them together take 100 kB, and in half precision a pixel may be off by 0.1.
"""
MOST_PIXELS = 2**25
"""Most pixels of all images together that a phone's browser still opens."""
MOST_COLOURS = 100
"""Classes beyond this number take the colours of the first again."""
COMPARED = 500
"""At how many test images, about, the page's decoder is compared with jaxae's."""


@dataclass(frozen=True)
class PageLayer:
    """A layer of the network; its numbers follow those of the layer before in PageData.weights."""

    inputs: int
    outputs: int
    activation: str
    precision: Precision


@dataclass(frozen=True)
class PageData:
    """All that the page's script reads."""

    shape: tuple[int, int, int]
    count: int
    total: int
    """How many images the page shows, and how many there are."""
    images: str
    """What they are called: test images, or images."""
    trained: int
    """Images with this index or a higher one were not trained on; 0 for test images alone."""
    about: str
    accuracy: str
    noise: float
    """Where the slider of the noise begins."""
    classes: list[str]
    colours: dict[str, list[str]]
    """light and dark: a colour for each class on such a page."""
    maps: dict[str, str]
    """Colour map → u8[256, 3]."""
    view: dict[str, list[float]]
    """low and high: the corners of the map as it opens."""
    network: dict[str, list[PageLayer]]
    """encoder and decoder."""
    weights: dict[Precision, str]
    """Kernels and biases of all layers of a precision, one after another."""
    latents: str
    """f32[count, 2]."""
    errors: str
    """f32[count]: mean squared error of the reconstruction of the clean image."""
    indices: str
    """i32[count]: the number of an image in the test split, or among all images."""
    files: list[str]
    """The name of each image's file; empty without files."""
    labels: str
    """i32[count]; zeros without labels."""
    sheets: Sheets


def page_data(run: Run, dataset: Dataset, *, small: bool) -> PageData:
    """Return the data of a run's page. small: the images as lossy WebP, else as PNG."""
    part = dataset.together() if dataset.is_own else dataset.test
    total = len(part.images)
    count = min(total, max(1, MOST_PIXELS // math.prod(dataset.image_shape)))

    labels = np.zeros(total, int) if part.labels is None else part.labels
    names = [] if part.labels is None else list(dataset.class_names)
    shown = np.sort(sample(total, count))
    order = shown[np.argsort(labels[shown], kind="stable")]  # class after class compresses best
    images = part.images[order]

    latents = encode(run, images)
    squared_errors = np.square(reconstruct(run, images) - to_unit(images))

    folded = fold_batch_norm(run)
    view = robust_view(latents)
    compared_latents = latents[:: max(1, count // COMPARED)]

    return PageData(
        shape=dataset.image_shape,
        count=count,
        total=total,
        images="images" if dataset.is_own else "test images",
        trained=len(dataset.train.images) if dataset.is_own else 0,
        about=(
            "The model sends each image through two numbers: its place on the map. "
            f"Weights: epoch {run.epoch}."
        ),
        accuracy=_accuracy(run, folded, compared_latents, small=small),
        noise=run.config.noise_factor,
        classes=names,
        colours=_colours(len(names)),
        maps={name: _text(_colour_map(name)) for name in ("inferno", "cividis")},
        view={"low": view.low.tolist(), "high": view.high.tolist()},
        network={
            "encoder": [_page_layer(layer) for layer in folded.encoder],
            "decoder": [_page_layer(layer) for layer in folded.decoder],
        },
        weights=_pack_weights([*folded.encoder, *folded.decoder]),
        latents=_text(latents.astype("<f4")),
        errors=_text(squared_errors.mean(axis=(1, 2, 3)).astype("<f4")),
        indices=_text(order.astype("<i4")),
        files=[] if part.files is None else part.files[order].tolist(),
        labels=_text(labels[order].astype("<i4")),
        sheets=tiled(images, small=small),
    )


def _precision(layer: DenseLayer) -> Precision:
    largest = max(np.abs(layer.kernel).max(), np.abs(layer.bias).max())
    fits = largest <= np.finfo(np.float16).max
    return "f16" if fits and layer.kernel.size >= NARROW else "f32"


def _rounded(layer: DenseLayer) -> DenseLayer:
    """Return the layer in the precision in which the page holds it."""
    dtype = {"f16": "<f2", "f32": "<f4"}[_precision(layer)]
    return layer._replace(kernel=layer.kernel.astype(dtype), bias=layer.bias.astype(dtype))


def _page_layer(layer: DenseLayer) -> PageLayer:
    inputs, outputs = layer.kernel.shape
    return PageLayer(inputs, outputs, layer.activation, _precision(layer))


def _pack_weights(layers: Sequence[DenseLayer]) -> dict[Precision, str]:
    packed: dict[Precision, bytes] = {"f16": b"", "f32": b""}
    for layer in layers:
        rounded = _rounded(layer)
        packed[_precision(layer)] += rounded.kernel.tobytes() + rounded.bias.tobytes()

    return {precision: base64.b64encode(numbers).decode() for precision, numbers in packed.items()}


def _accuracy(run: Run, folded: FoldedModel, latents: np.ndarray, *, small: bool) -> str:
    """Return a sentence for the page: how far its decoder is from jaxae's."""
    x = latents
    for layer in map(_rounded, folded.decoder):
        x = x @ layer.kernel.astype(np.float32) + layer.bias.astype(np.float32)
        x = np.maximum(x, 0) if layer.activation == "relu" else x

    pixels = (1 + np.tanh(x / 2)) / 2  # the sigmoid at the end
    error = np.abs(pixels - decode(run, latents).reshape(pixels.shape))

    text = (
        "The network runs here with half-precision weights. At the places of "
        f"{len(latents):,} test images its decoded pixels differ from jaxae's by at most "
        f"{error.max():.1g}, by {error.mean():.1g} on average (white is 1)."
    )
    if small:
        text += " The test images are compressed with loss, which moves every number a little."
    return text


def _colours(classes: int) -> dict[str, list[str]]:
    colours = class_colours(min(max(classes, 1), MOST_COLOURS))
    return {
        "light": [to_hex(colour) for colour in colours],
        "dark": [_on_dark(colour) for colour in colours],
    }


def _on_dark(colour: Any) -> str:
    """Return a class's colour on a dark page: near-black becomes near-white."""
    return "#f2f2f2" if max(to_rgb(colour)) < 0.2 else to_hex(colour)


def _colour_map(name: str) -> np.ndarray:
    return matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
