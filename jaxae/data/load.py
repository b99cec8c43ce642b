"""Data sets by their names."""

import os
from pathlib import Path

import jax

from jaxae.data.cache import cached
from jaxae.data.dataset import Dataset, split
from jaxae.data.synthetic import CLASS_NAMES, synthetic_arrays
from jaxae.errors import DataUnavailableError, Report
from jaxae.rng import Stream, derive, root_key


def load_dataset(
    name: str = "auto",
    *,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    report: Report = print,
) -> Dataset:
    """The data set by its name in a recipe. Raises DataUnavailableError, or InputError for a damaged file.

    name: "fashion_mnist"; "synthetic", drawn here; or "auto", which takes Fashion-MNIST and, where it can't be had, reports why
    and takes synthetic. data_dir: where the decoded data are kept (default $TFDS_DATA_DIR or ~/tensorflow_datasets).
    manual_dir: a folder with the four official .gz files (default $JAXAE_MANUAL_DIR).

    >>> dataset = jaxae.load_dataset()
    >>> dataset.train.images.shape, dataset.class_names[0]
    ((55000, 28, 28, 1), 'T-shirt')
    """
    if name == "synthetic":
        return synthetic_dataset(derive(root_key(0), Stream.SYNTHETIC))  # one data set for all runs
    place = os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    manual = os.path.expanduser(manual_dir or os.environ.get("JAXAE_MANUAL_DIR") or "")
    try:
        arrays = cached(Path(place), Path(manual) if manual else None, report)
        return split(arrays, name="fashion_mnist", title="Fashion-MNIST", class_names=CLASS_NAMES, source=place)
    except DataUnavailableError as error:
        if name != "auto":
            raise
        report(str(error))
        return load_dataset("synthetic")


def synthetic_dataset(key: jax.Array, *, train: int = 6000, test: int = 1000) -> Dataset:
    """The stand-in as a data set: so many training images, of which 1/12 are for validation, and test images."""
    arrays = synthetic_arrays(key, train=train, test=test)
    return split(arrays, name="synthetic", title="SYNTHETIC", class_names=CLASS_NAMES, source="jaxae, which drew it")
