"""Data sets as uint8 arrays: decoded once into a cache, cut into splits in the official order, ordered anew each epoch."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from jaxae.config import Config
from jaxae.digests import digest
from jaxae.errors import InputError

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


class Split(NamedTuple):
    """images: u8[N, 28, 28]; labels: u8[N] in 0 … 9."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """name: fashion_mnist or synthetic; digest: SHA-256 of the arrays before splitting."""

    name: Literal["fashion_mnist", "synthetic"]
    digest: str
    train: Split
    validation: Split
    test: Split


def split(name: Literal["fashion_mnist", "synthetic"], arrays: Mapping[str, np.ndarray]) -> Dataset:
    """Cuts the training images into the first 11/12 for training and the rest for validation: 55,000 + 5,000 of 60,000."""
    images, labels = arrays["train_images"], arrays["train_labels"]
    cut = len(images) * 11 // 12
    return Dataset(
        name,
        digest(arrays),
        train=Split(images[:cut], labels[:cut]),
        validation=Split(images[cut:], labels[cut:]),
        test=Split(arrays["test_images"], arrays["test_labels"]),
    )


def check_data(config: Config, dataset: Dataset) -> None:
    """Raises InputError where a recipe names other data: what is written would carry the wrong name."""
    if config.dataset != dataset.name:
        raise InputError(f"The config's dataset is {config.dataset}, and the data are {dataset.name}: give the one named")


def one_of_each_class(labels: np.ndarray) -> np.ndarray:
    """Indices of the first image of each class, in the order in which the split shows them: nobody's choice."""
    return np.sort(np.unique(labels, return_index=True)[1])
