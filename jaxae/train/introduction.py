"""The first lines of a training: where it is kept, what the data are, the model and the recipe."""

import hashlib
import math
import textwrap
from collections.abc import Iterable, Sequence

import jax
import numpy as np

from jaxae.build import state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.data.dataset import Dataset
from jaxae.data.large import in_blocks
from jaxae.pictures import NEARLY_BLACK
from jaxae.train.population import varying
from jaxae.train.progress import span

FEW_CLASSES = 10
LONGEST_NAME = 24
COLUMNS = 100
INDENT = " " * 10
KINDS = {1: "grey", 3: "colour"}
"""What images of this many channels are called."""


def begin_lines(
    place: str, epochs: Iterable[int], configs: Sequence[Config], dataset: Dataset
) -> list[str]:
    """Return where the run is kept, after which epoch it goes on; its data, model and recipe."""
    done = list(epochs)
    config = configs[0]

    shape = "×".join(map(str, dataset.image_shape))
    sizes = ", ".join(
        f"{len(part.images):,} {name}"
        for name, part in (
            ("training", dataset.train),
            ("validation", dataset.validation),
            ("test", dataset.test),
        )
    )
    widths = "→".join(map(str, [math.prod(dataset.image_shape), *config.widths]))

    noise = " to ".join(f"{level:g}" for level in config.noise_range or [config.noise_factor])
    if len(configs) == 1:
        which = f"learning rate {config.learning_rate:g}, seed {config.seed}"
    else:
        differences = ", ".join([*varying(configs), "seed"])
        which = f"{len(configs)} members that differ in {differences}"
    if config.matmul_dtype == "bfloat16":
        which += ", products in bfloat16"

    return [
        f"Resuming after epoch {span(done)} in {place}" if any(done) else f"Training in {place}",
        f"  data    {dataset.title}, images of {shape}: {sizes}",
        f"          from {dataset.source}",
        f"{INDENT}{describe_pixels(dataset.train.images)}",
        *describe_oddities(dataset),
        *describe_classes(dataset),
        f"  model   {widths}→{config.latent_dim} and back, {_parameters(config):,} parameters",
        f"  recipe  at most {config.epochs} epochs, batches of {config.batch_size}, noise {noise}, "
        + which,
    ]


def describe_pixels(images: np.ndarray) -> str:
    """Return colour or grey, and the range of the values, which data of another scale give away."""
    channels = images.shape[-1]
    kind = KINDS.get(channels, f"{channels} channels")
    if channels == 3 and all((each == each[..., :1]).all() for each in in_blocks(images)):
        kind = "grey in three equal channels"

    low = min(int(each.min()) for each in in_blocks(images))
    high = max(int(each.max()) for each in in_blocks(images))
    return f"{kind}, training pixels from {low} to {high} (white is 255)"


def describe_oddities(dataset: Dataset) -> list[str]:
    """Return a line each about images that are equal to others, and that are nearly black."""
    digests: list[bytes] = []
    dark: list[int] = []
    for part in dataset.parts.values():
        for block in in_blocks(part.images):
            brightest = block.max(axis=(1, 2, 3))
            dark += (len(digests) + np.flatnonzero(brightest <= NEARLY_BLACK)).tolist()
            digests += [hashlib.sha256(image.tobytes()).digest()[:16] for image in block]

    _, first, group = np.unique(np.array(digests, "S16"), return_index=True, return_inverse=True)
    others = first[group]
    equal = np.flatnonzero(others != np.arange(len(others)))

    lines = []
    if len(equal):
        name = _name(dataset, equal[0])
        other = _name(dataset, others[equal[0]])
        lines.append(f"{len(equal):,} images are equal to others, such as {name} to {other}")
    if dark:
        name = _name(dataset, dark[0])
        lines.append(f"{len(dark):,} images have no pixel above {NEARLY_BLACK}, such as {name}")
    return [f"{INDENT}{line}" for line in lines]


def _name(dataset: Dataset, number: int) -> str:
    """Return the name of an image by its number in all splits, one after another."""
    for part, split in dataset.parts.items():
        if number < len(split.images):
            return dataset.name_of(part, number)
        number -= len(split.images)
    raise IndexError(number)


def describe_classes(dataset: Dataset) -> list[str]:
    """Return the classes and the number of their training images, ten of them at most."""
    labels = dataset.train.labels
    names = dataset.class_names
    if labels is None or not names:
        return [f"{INDENT}no classes"]

    sizes = np.bincount(labels, minlength=len(names))
    shown = [
        f"{_on_one_line(name)} {size:,}"
        for name, size in zip(names[:FEW_CLASSES], sizes, strict=False)
    ]
    if len(names) > FEW_CLASSES:
        shown.append(f"and {len(names) - FEW_CLASSES:,} more")

    # A name and its size stay on one line.
    text = f"{len(names):,} classes: " + ", ".join(each.replace(" ", "\0") for each in shown)
    lines = textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=INDENT,
        subsequent_indent=INDENT + "  ",
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


def _on_one_line(name: str) -> str:
    """Return the name without line breaks, cut in the middle: long names often begin alike."""
    words = " ".join(name.split())
    if len(words) <= LONGEST_NAME:
        return words
    return f"{words[:14]}…{words[-9:]}"


def _parameters(config: Config) -> int:
    state: TrainState = state_shapes(config)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
