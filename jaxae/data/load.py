"""Data sets by their names."""

import os
from pathlib import Path

from jaxae.config import DatasetName
from jaxae.data.cache import cached
from jaxae.data.dataset import Dataset, split
from jaxae.data.synthetic import synthetic_arrays
from jaxae.errors import DataUnavailableError, Report, silent
from jaxae.rng import Stream, derive, root_key


def load_dataset(
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
        return split("fashion_mnist", cached(Path(place), Path(manual) if manual else None, report))
    except DataUnavailableError as error:
        if name != "auto":
            raise
        report(str(error))
        return load_dataset("synthetic")
