"""Data sets as uint8 arrays: decoded once into a cache, cut into splits in the official order, ordered anew each epoch."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from jaxae.config import Config, DatasetName
from jaxae.errors import DataUnavailableError, InputError, Report, silent
from jaxae.fashion_mnist import FILES, fetch
from jaxae.fingerprint import digest
from jaxae.rng import Stream, derive, root_key
from jaxae.synthetic import synthetic_arrays

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


def load(
    name: DatasetName,
    *,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    report: Report = silent,
) -> Dataset:
    """The data set by its name in the config. Raises DataUnavailableError, or InputError for a damaged file.

    data_dir: where the cache is (default $TFDS_DATA_DIR or ~/tensorflow_datasets); manual_dir: the official files
    (default $JAXAE_MANUAL_DIR). "auto" falls back to synthetic when Fashion-MNIST can't be had, and reports why.
    """
    if name == "synthetic":
        return split(name, synthetic_arrays(derive(root_key(0), Stream.SYNTHETIC)))  # one data set for all runs
    place = os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    manual = os.path.expanduser(manual_dir or os.environ.get("JAXAE_MANUAL_DIR") or "")
    try:
        return split("fashion_mnist", _cached(Path(place), Path(manual) if manual else None, report))
    except DataUnavailableError as error:
        if name != "auto":
            raise
        report(str(error))
        return load("synthetic")


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


def epoch_order(key: jax.Array, size: int, *, batch_size: int) -> jax.Array:
    """A random order of 0 … size - 1 cut into batches, i32[size // batch_size, batch_size]; the rest is left out.

    Raises InputError for a batch size below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: give 1 or more")
    steps = size // batch_size
    return jax.random.permutation(key, size)[: steps * batch_size].reshape(steps, batch_size)


def _cached(data_dir: Path, manual_dir: Path | None, report: Report) -> dict[str, np.ndarray]:
    path = data_dir / "jaxae" / "fashion_mnist.npz"
    if os.path.exists(path):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in FILES}
                if str(stored["digest"]) == digest(arrays):
                    return arrays
        except Exception:  # whatever a damaged file makes zipfile, zlib and NumPy raise: the cache can always be rebuilt
            pass
        report(f"The cache {path} is damaged: building it again.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = fetch(data_dir / "downloads", manual_dir, report)
        with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
            np.savez(Path(unfinished) / path.name, allow_pickle=False, digest=np.array(digest(arrays)), **arrays)
            os.replace(Path(unfinished) / path.name, path)
    except OSError as error:
        raise InputError(f"{data_dir} can't be written ({error.strerror}): name another folder with --data-dir") from error
    return arrays
