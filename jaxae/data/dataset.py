"""A data set: uint8 images in three splits, with a digest, a title and class names."""

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxae.config import Config
from jaxae.core.images import check_axes
from jaxae.core.rng import Stream, derive, root_key
from jaxae.errors import InputError
from jaxae.switches import usual_switches

Arrays = dict[str, np.ndarray]
"""{train,validation,test}_images and _labels, or images and labels; and class_names, if known."""
REFERENCES = 60_000
"""Most training images that evaluation searches for neighbours, or fits rivals on."""
FASHION_MNIST_SHA256 = "f4b1aad3f964531ee0c5c3dc2bb211b3ea6680e78a3568e251ad3bdef30098b4"
"""Digest of the arrays in the four official files: other data do not pass for Fashion-MNIST."""


class Split(NamedTuple):
    """Images, with labels if there are any."""

    images: np.ndarray
    """u8[N, H, W, C]."""
    labels: np.ndarray | None = None
    """Integers [N], from 0 to the number of classes less one."""

    def at_most(self, count: int) -> "Split":
        """Return the split, or a sample of this many of its images if it has more."""
        if len(self.images) <= count:
            return self
        return self.take(sample(len(self.images), count))

    def take(self, chosen: np.ndarray | slice) -> "Split":
        """Return some of the images, by their indices, a mask or a slice."""
        labels = None if self.labels is None else self.labels[chosen]
        return Split(self.images[chosen], labels)


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

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


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
