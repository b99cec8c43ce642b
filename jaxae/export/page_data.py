"""What the explorer's page holds, as JSON: the network, the images, their latents and errors.

Arrays are base64 texts of little-endian numbers; explorer/arrays.js reads them.
"""

import base64
import math
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

from jaxae.core.images import to_unit
from jaxae.data.dataset import Dataset, sample
from jaxae.export.fold_batch_norm import fold_batch_norm
from jaxae.export.page_weights import (
    PackedLayer,
    PackedModel,
    Precision,
    apply,
    as_texts,
    pack,
)
from jaxae.figures.map_view import View, robust_view
from jaxae.figures.sheets import Sheets, tiled
from jaxae.figures.style import class_colours
from jaxae.inference import Run, decode, encode, reconstruct

MOST_BYTES = 12_000_000
"""Most bytes of the weights and exact images; above it the images are compressed with loss."""
MOST_PIXELS = 30_000_000
"""Most pixels of all images together that a phone's browser still opens."""
MOST_COLOURS = 100
"""Classes beyond this number take the colours of the first again."""
GRID = 32
"""Steps along each side of the map, at whose places the decoder's pixels are to stay."""
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
    """Kernels, scales and biases of all layers, as page_weights.as_texts packs them."""
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
    """Return the data of a run's page. small: the images as lossy WebP, else as PNG.

    They are lossy too where the page would have more than MOST_BYTES.
    """
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

    view = robust_view(latents)
    packed = pack(fold_batch_norm(run), _places(latents, view))
    compared_latents = latents[:: max(1, count // COMPARED)]

    weights = as_texts([*packed.encoder, *packed.decoder])
    sheets = tiled(images, small=small)
    size = sum(map(len, weights.values())) + sum(map(len, sheets.pictures))
    if not small and size > MOST_BYTES:
        sheets = tiled(images, small=True)

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
        accuracy=_accuracy(run, packed, compared_latents, lossy=sheets.sum is None),
        noise=run.config.noise_factor,
        classes=names,
        colours=_colours(len(names)),
        maps={name: _text(_colour_map(name)) for name in ("inferno", "cividis")},
        view={"low": view.low.tolist(), "high": view.high.tolist()},
        network={
            "encoder": [_page_layer(layer) for layer in packed.encoder],
            "decoder": [_page_layer(layer) for layer in packed.decoder],
        },
        weights=weights,
        latents=_text(latents.astype("<f4")),
        errors=_text(squared_errors.mean(axis=(1, 2, 3)).astype("<f4")),
        indices=_text(order.astype("<i4")),
        files=[] if part.files is None else part.files[order].tolist(),
        labels=_text(labels[order].astype("<i4")),
        sheets=sheets,
    )


def _places(latents: np.ndarray, view: View) -> np.ndarray:
    """Return places of the map: those of some images, and a grid over all that it shows."""
    axes = [np.linspace(low, high, GRID) for low, high in zip(view.low, view.high, strict=True)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    some = latents[:: max(1, len(latents) // GRID**2)]
    return np.concatenate([some, grid]).astype(np.float32)


def _page_layer(packed: PackedLayer) -> PageLayer:
    layer = packed.layer
    inputs, outputs = layer.kernel.shape
    return PageLayer(inputs, outputs, layer.activation, packed.precision)


def _accuracy(run: Run, packed: PackedModel, latents: np.ndarray, *, lossy: bool) -> str:
    """Return a sentence for the page: how far its decoder is from jaxae's."""
    x = latents
    for each in packed.decoder:
        x = apply(each.layer, x)
    error = np.abs(x - decode(run, latents).reshape(x.shape))

    text = (
        "The network runs here with rounded weights. At the places of "
        f"{len(latents):,} images its decoded pixels differ from jaxae's by at most "
        f"{error.max():.1g}, by {error.mean():.1g} on average (white is 1)."
    )
    if lossy:
        text += " The images are compressed with loss, which moves every number a little."
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
