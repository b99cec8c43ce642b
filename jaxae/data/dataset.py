"""A data set: uint8 images in three splits, with a digest, a title and class names."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxae.config import Config
from jaxae.digests import digest
from jaxae.errors import InputError

FASHION_MNIST_SHA256 = "f4b1aad3f964531ee0c5c3dc2bb211b3ea6680e78a3568e251ad3bdef30098b4"
"""digests.digest of the arrays in the four official files: no other data pass for Fashion-MNIST."""


class Split(NamedTuple):
    """Images and, where there are any, their labels."""

    images: np.ndarray
    """u8[N, H, W, C]."""
    labels: np.ndarray | None = None
    """Integers [N], from 0 to the number of classes less one."""


class Dataset(NamedTuple):
    """Three splits, and what a person calls them."""

    name: str
    """What a recipe calls it: fashion_mnist, the path of a folder."""
    title: str
    """What figures and tables call it; SYNTHETIC stands in that of made-up data."""
    digest: str
    """SHA-256 of the arrays before splitting."""
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...] = ()
    """The name of label 0, 1, …; none where there are no labels."""
    source: str = "memory"
    """Where the arrays come from, for a person."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def split(
    arrays: Mapping[str, np.ndarray],
    *,
    name: str,
    title: str | None = None,
    class_names: Sequence[str] = (),
    source: str = "memory",
) -> Dataset:
    """Cuts the training images into the first 11/12 for training and the rest for validation: 55,000 + 5,000 of 60,000.

    arrays: {train,test}_images, u8[N, H, W] or u8[N, H, W, C], and perhaps {train,test}_labels, integers [N].
    Raises InputError.
    """
    train, test = (_checked(arrays, part) for part in ("train", "test"))
    labels = arrays.get("train_labels")
    if labels is not None and not class_names:
        class_names = [str(label) for label in range(int(max(labels.max(), arrays["test_labels"].max())) + 1)]
    cut = len(train) * 11 // 12
    return Dataset(
        name,
        title or name,
        digest(arrays),
        train=Split(train[:cut], None if labels is None else labels[:cut]),
        validation=Split(train[cut:], None if labels is None else labels[cut:]),
        test=Split(test, arrays.get("test_labels")),
        class_names=tuple(class_names),
        source=source,
    )


def _checked(arrays: Mapping[str, np.ndarray], part: str) -> np.ndarray:
    """The images of a part as u8[N, H, W, C]. Raises InputError."""
    images, labels = arrays[f"{part}_images"], arrays.get(f"{part}_labels")
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        found = f"{images.dtype}{list(images.shape)}"
        raise InputError(f"{part}_images are {found}: give uint8 [N, height, width] or [N, height, width, channels]")
    if (labels is None) != ("train_labels" not in arrays) or (labels is not None and len(labels) != len(images)):
        count = "none" if labels is None else len(labels)
        raise InputError(
            f"there are {len(images)} {part}_images and {count} {part}_labels: give a label for each, or none at all"
        )
    return images if images.ndim == 4 else images[..., None]


def check_data(config: Config, dataset: Dataset, *, trained_on: str | None = None) -> None:
    """Raises InputError where a recipe is for other data: what is written would carry the wrong name.

    trained_on: the digest of the data that a run was trained on, where that is known.
    """
    if config.dataset != dataset.name:
        raise InputError(f"The config's dataset is {config.dataset}, and the data are {dataset.name}: give the one named")
    if dataset.name == "fashion_mnist" and dataset.digest != FASHION_MNIST_SHA256:
        raise InputError(
            f"The data are called fashion_mnist, and are not it (SHA-256 {dataset.digest:.12}): load_dataset has it"
        )
    if config.image_shape != dataset.image_shape:
        raise InputError(
            f"The model is for images of the shape {list(config.image_shape)}, and {dataset.title} has "
            f"{list(dataset.image_shape)}: train one for these"
        )
    if trained_on not in (None, dataset.digest):
        found = f"SHA-256 {dataset.digest:.12}, not {trained_on:.12}"
        raise InputError(f"The data are not those that the run was trained on ({found}): give those, or another run")


def sample_indices(part: Split, count: int) -> np.ndarray:
    """Samples to show: the first image of each class, in the order of the split; without labels the first images."""
    firsts = np.arange(len(part.images)) if part.labels is None else np.sort(np.unique(part.labels, return_index=True)[1])
    return firsts[:count]
