"""A data set: uint8 images in three splits, with a digest, a title and class names."""

from pathlib import Path, PurePath
from typing import NamedTuple

import jax
import numpy as np

from jaxae.config import Config
from jaxae.core.images import check_axes, to_unit
from jaxae.core.rng import Stream, derive, root_key
from jaxae.data.large import join, take
from jaxae.errors import InputError
from jaxae.switches import usual_switches

Arrays = dict[str, np.ndarray]
"""{train,validation,test}_images, _labels and _files, or images, labels and files; class_names.

Labels, files and class_names where they are known; white, as Dataset's, of images of 16 bits.
"""
REFERENCES = 60_000
"""Most training images that evaluation searches for neighbours, or fits rivals on."""
FASHION_MNIST_SHA256 = "f4b1aad3f964531ee0c5c3dc2bb211b3ea6680e78a3568e251ad3bdef30098b4"
"""Digest of the arrays in the four official files: other data do not pass for Fashion-MNIST."""


class Split(NamedTuple):
    """Images, with labels and the names of their files if there are any."""

    images: np.ndarray
    """u8[N, H, W, C]. Large ones may be a jaxae.data.large.Subset, which reads rows when asked."""
    labels: np.ndarray | None = None
    """Integers [N], from 0 to the number of classes less one."""
    files: np.ndarray | None = None
    """Texts [N]: where a picture is in its folder, such as CLASS/1.png."""

    def at_most(self, count: int) -> "Split":
        """Return the split, or a sample of this many of its images if it has more."""
        if len(self.images) <= count:
            return self
        return self.take(sample(len(self.images), count))

    def take(self, chosen: np.ndarray | slice) -> "Split":
        """Return some of the images, by their indices, a mask or a slice."""
        labels = None if self.labels is None else self.labels[chosen]
        files = None if self.files is None else self.files[chosen]
        return Split(take(self.images, chosen), labels, files)


class Dataset(NamedTuple):
    """Three splits, and what a person calls them."""

    name: str
    """The name in a recipe: fashion_mnist, or the absolute path of a file or folder."""
    title: str
    """The name in figures and tables. SYNTHETIC is in that of made-up data."""
    digest: str
    """SHA-256 of the arrays, and of the shares if the splits were made from them."""
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...] = ()
    """The names of labels 0, 1, …; empty without labels."""
    source: str = "memory"
    """Where the arrays come from, for a person."""
    white: int | None = None
    """The value that became 255, if the images had 16 bits."""
    cache: Path | None = None
    """The folder where what is computed from the arrays is kept; None keeps nothing."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def is_own(self) -> bool:
        """Whether they are a person's own images: a file or folder, not a known data set."""
        return Path(self.name).is_absolute()

    @property
    def parts(self) -> dict[str, Split]:
        """The three splits by their names."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def together(self) -> Split:
        """Return all images as one split: training, validation, test."""
        parts = list(self.parts.values())
        labels = [part.labels for part in parts if part.labels is not None]
        files = [part.files for part in parts if part.files is not None]
        return Split(
            join([part.images for part in parts]),
            np.concatenate(labels) if labels else None,
            np.concatenate(files) if files else None,
        )

    def names(self, part: str) -> list[str]:
        """Return the file of each image in a split or, without files, its number: "test 402"."""
        return [self.name_of(part, number) for number in range(len(self.parts[part].images))]

    def name_of(self, part: str, number: int) -> str:
        """Return the name of one image in a split."""
        files = self.parts[part].files
        return f"{part} {number}" if files is None else str(files[number])


def check_dataset(dataset: Dataset) -> None:
    """Raise InputError for what is no Dataset, such as an array of images."""
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"dataset is of the type {type(dataset).__name__}: give what jaxae.load_dataset returns"
        )


def check_data(config: Config, dataset: Dataset, *, trained_on: str | None = None) -> None:
    """Raise InputError if a recipe is for other data: results would carry the wrong name.

    Also for images with channels first. trained_on: the digest of the data that a run was trained
    on, if known. Data of that digest may have moved.
    """
    check_dataset(dataset)
    check_axes(dataset.train.images.shape, what=f"the images of {dataset.title}")
    same_name = config.dataset == dataset.name
    both_paths = Path(config.dataset).is_absolute() and Path(dataset.name).is_absolute()
    moved = trained_on is not None and both_paths  # then the digest decides, below
    if not same_name and trained_on != dataset.digest and not moved:
        raise InputError(
            f"The config's dataset is {config.dataset}, and the data are {dataset.name}: "
            "give the one named"
        )
    if dataset.name == "fashion_mnist" and dataset.digest != FASHION_MNIST_SHA256:
        raise InputError(
            f"Expected Fashion-MNIST, but the digest of the arrays differs "
            f"(SHA-256 {dataset.digest:.12}): take them from load_dataset"
        )
    if config.image_shape != dataset.image_shape:
        raise InputError(
            f"The model is for images of the shape {list(config.image_shape)}, and "
            f"{dataset.title} has {list(dataset.image_shape)}: train one for these"
        )
    if trained_on not in (None, dataset.digest):
        raise InputError(
            "The data are not those that the run was trained on "
            f"(SHA-256 {dataset.digest:.12}, not {trained_on:.12}): give those, or another run"
        )


@usual_switches()
def sample(size: int, count: int) -> np.ndarray:
    """Return the indices of a fixed random sample of a split with this many images.

    int[min(count, size)]. Many data sets are stored one class after another, so the first images
    are no sample. The order is random too, so that each part of a sample is mixed as well; a
    smaller sample is the beginning of a larger one.
    """
    key = derive(root_key(0), Stream.SAMPLE)
    return np.asarray(jax.random.permutation(key, size))[:count]


def sample_indices(part: Split, count: int) -> np.ndarray:
    """Return the indices of images to show, int[min(count, N)].

    The first image of each class in the order of the split, then the second ones, and so on; a
    random sample without labels.
    """
    if part.labels is None:
        return sample(len(part.images), count)

    by_class = np.argsort(part.labels, kind="stable")
    labels = part.labels[by_class]
    turn = np.empty(len(labels), int)  # an image's number among those of its class
    turn[by_class] = np.arange(len(labels)) - np.searchsorted(labels, labels)
    return np.argsort(turn, kind="stable")[:count]


class Samples(NamedTuple):
    """Some test images to show: int[N], their names, and f32[N, H, W, C] in [0, 1]."""

    indices: np.ndarray
    names: list[str]
    clean: np.ndarray


def pick_samples(dataset: Dataset, count: int, *, last: bool = False) -> Samples:
    """Return the first, or last, of the ten samples: test images of different classes.

    They have the names of their classes or, without classes, of their files.
    """
    ten = sample_indices(dataset.test, 10)
    indices = ten[-count:] if last else ten[:count]

    if dataset.test.labels is None:
        files = dataset.names("test")
        names = [PurePath(files[index]).name for index in indices]
    else:
        names = [dataset.class_names[label] for label in dataset.test.labels[indices]]

    return Samples(indices, names, to_unit(dataset.test.images[indices]))
