"""Data sets by their names in a recipe: official ones, files, folders, and what TFDS has prepared."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxae.core.rng import Stream, derive, root_key
from jaxae.data import image_folder
from jaxae.data.array_files import read_arrays
from jaxae.data.cache import cached
from jaxae.data.dataset import FASHION_MNIST_SHA256, Arrays, Dataset
from jaxae.data.split import Shares, split
from jaxae.data.synthetic import CLASS_NAMES, synthetic_arrays
from jaxae.data.tfds_files import OFFICIAL, fetch, read_prepared
from jaxae.errors import DataUnavailableError, InputError, Report, expand
from jaxae.switches import usual_switches

SHARES = (0.8, 0.1, 0.1)


@usual_switches()
def load_dataset(
    name: str | Path = "auto",
    *,
    image_size: image_folder.Size | None = None,
    shares: Shares = SHARES,
    skip_damaged: bool = False,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    report: Report = print,
) -> Dataset:
    """The data set by its name in a recipe. Raises DataUnavailableError, or InputError for what can't be read.

    name: fashion_mnist, mnist or kmnist; synthetic, drawn here; auto, which takes Fashion-MNIST and, where it can't be had,
    reports why and takes synthetic; an .npz or .npy file; a folder of pictures; or another image set that TFDS has prepared.
    image_size, skip_damaged: for a folder. shares: of training, validation and test images, where there are no splits.
    data_dir: where decoded data are kept (default $TFDS_DATA_DIR or ~/tensorflow_datasets). manual_dir: a folder with the
    official .gz files (default $JAXAE_MANUAL_DIR).

    >>> dataset = jaxae.load_dataset()
    >>> dataset.train.images.shape, dataset.class_names[0]
    ((55000, 28, 28, 1), 'T-shirt')
    """
    text = canonical_name(str(name))
    path, place = Path(text), data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if (image_size or skip_damaged) and not path.is_dir():
        raise InputError(
            f"image_size and skip_damaged are for a folder of pictures, and {name} is none: leave them out"
        )
    if text == "synthetic":
        return synthetic_dataset(derive(root_key(0), Stream.SYNTHETIC))  # one data set for all runs
    if text in ("auto", *OFFICIAL):
        name, manual = (
            "fashion_mnist" if text == "auto" else text,
            manual_dir or os.environ.get("JAXAE_MANUAL_DIR"),
        )
        try:
            return _official(name, expand(place), expand(manual) if manual else None, report)
        except DataUnavailableError as error:
            if text != "auto":
                raise
            report(str(error))
            return load_dataset("synthetic")
    if path.is_dir():
        arrays = _folder(path, expand(place), report, size=image_size, skip_damaged=skip_damaged)
    elif path.is_file():
        arrays = read_arrays(path, report=report)
    elif path.is_absolute():
        raise InputError(
            f"{name} does not exist: give --dataset a file, a folder (where it is now), or a name such as mnist"
        )
    else:
        arrays = read_prepared(text, expand(place))
    return _own(arrays, text, shares, report)


def canonical_name(name: str) -> str:
    """A data set's name in a recipe: as it is given, but for files and folders, whose paths become absolute."""
    if name in ("auto", "synthetic", *OFFICIAL):
        return name
    path = expand(name)
    return str(path.absolute()) if path.exists() or len(path.parts) > 1 or path.suffix else name


def synthetic_dataset(key: jax.Array, *, train: int = 6000, test: int = 1000) -> Dataset:
    """The stand-in as a data set: so many training images, of which 1/12 are for validation, and test images."""
    arrays = synthetic_arrays(key, train=train, test=test)
    return split(
        arrays,
        name="synthetic",
        title="SYNTHETIC",
        class_names=CLASS_NAMES,
        source="jaxae, which drew it",
    )


def _official(name: str, place: Path, manual_dir: Path | None, report: Report) -> Dataset:
    build = functools.partial(fetch, name, place, manual_dir, report)
    if name == "fashion_mnist":
        arrays = cached(
            place / "jaxae" / f"{name}.npz", build, sha256=FASHION_MNIST_SHA256, report=report
        )
    else:  # no digest of the decoded arrays is known that a cache could be held to; the files themselves are quick
        arrays = build()
    return split(
        arrays,
        name=name,
        title=OFFICIAL[name].title,
        class_names=OFFICIAL[name].class_names,
        source=str(place),
    )


def _folder(path: Path, place: Path, report: Report, **rules: Any) -> Arrays:
    pictures = image_folder.find_pictures(path, report)
    kept = place / "jaxae" / "folders" / f"{image_folder.fingerprint(pictures, **rules)[:32]}.npz"
    report(
        f"Reading {len(pictures):,} pictures in {path}"
        + (f", decoded before in {kept}" if kept.exists() else "")
    )
    return cached(
        kept,
        lambda: image_folder.read_pictures(path, pictures, report=report, **rules),
        report=report,
    )


def _own(arrays: Mapping[str, Any], name: str, shares: Shares, report: Report) -> Dataset:
    rest = {each: array for each, array in arrays.items() if each != "class_names"}
    names = tuple(map(str, arrays.get("class_names", ())))
    dataset = split(
        rest, name=name, title=Path(name).stem, class_names=names, source=name, shares=shares
    )
    if "validation_images" not in arrays:
        report(
            f"Its splits are made by the images' bytes, in shares of {', '.join(f'{share:g}' for share in shares)}"
        )
    if not dataset.class_names and any(each.endswith("labels") for each in arrays):
        report(
            "All of its images have one label, which tells nothing: they are taken as images without labels"
        )
    return dataset
