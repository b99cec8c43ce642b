"""Load data sets by their names in a recipe: official ones, files, folders, TFDS's."""

import functools
import os
from pathlib import Path

import jax

from jaxae.core.rng import Stream, derive, root_key
from jaxae.data import image_folder
from jaxae.data.array_files import read_arrays
from jaxae.data.cache import cached
from jaxae.data.dataset import FASHION_MNIST_SHA256, Arrays, Dataset
from jaxae.data.folder_layout import find_pictures
from jaxae.data.official_files import OFFICIAL, fetch
from jaxae.data.split import Shares, split
from jaxae.data.synthetic import CLASS_NAMES, synthetic_arrays
from jaxae.data.tfds_files import read_prepared
from jaxae.digests import json_digest
from jaxae.errors import DataUnavailableError, InputError, Report, expand, legible, readable, show
from jaxae.pictures import Size
from jaxae.switches import usual_switches

SHARES = (0.8, 0.1, 0.1)


@usual_switches()
def load_dataset(
    name: str | Path = "auto",
    *,
    image_size: int | tuple[int, ...] | None = None,
    shares: Shares = SHARES,
    skip_damaged: bool = False,
    labels: str | Path | None = None,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    report: Report = show,
) -> Dataset:
    """Return the data set with this name in a recipe.

    name: fashion_mnist, mnist or kmnist; synthetic, drawn here; auto, Fashion-MNIST or, with a
    report of the reason, synthetic; an .npz or .npy file; a folder of pictures; or another image
    set that TFDS has prepared.
    image_size: a height and a width, or one number for both, for the pictures of a folder. They
    are scaled to cover it, and cut at the edges. By default their own size if it is one of at most
    256 pixels a side, else their median ratio with at most 64. skip_damaged: for a folder too.
    labels: a CSV file with the columns file and label, instead of a folder for each class.
    shares: of training, validation and test images, for data without splits.
    data_dir: where decoded data are kept (default $TFDS_DATA_DIR or ~/tensorflow_datasets).
    manual_dir: a folder with the official .gz files (default $JAXAE_MANUAL_DIR).
    Raises DataUnavailableError, or InputError for data that can't be read.

    >>> dataset = jaxae.load_dataset("synthetic")
    >>> dataset.train.images.shape, dataset.train.images.dtype.name, dataset.class_names[0]
    ((5500, 28, 28, 1), 'uint8', 'T-shirt')
    """
    report = legible(report)
    text = canonical_name(str(name))
    path = Path(text)
    place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"

    if (image_size or skip_damaged or labels) and not path.is_dir():
        raise InputError(
            "image_size, skip_damaged and labels are for a folder of pictures, "
            f"and {name} is none: leave them out"
        )
    if text == "synthetic":
        return synthetic_dataset(derive(root_key(0), Stream.SYNTHETIC))  # the same for all runs
    if text == "auto":
        try:
            return _official("fashion_mnist", place, manual_dir, report)
        except DataUnavailableError as error:
            report(str(error))
            return load_dataset("synthetic")
    if text in OFFICIAL:
        return _official(text, place, manual_dir, report)

    if path.is_dir():
        size = _height_and_width(image_size)
        table = expand(labels) if labels else None
        arrays = _folder(
            path, expand(place), report, size=size, skip_damaged=skip_damaged, labels=table
        )
    elif path.is_file():
        arrays = read_arrays(path, report=report)
    elif path.is_absolute():
        raise InputError(
            f"{name} does not exist: "
            "give dataset a file, a folder (where it is now), or a name such as mnist"
        )
    else:
        arrays = read_prepared(text, expand(place))
    return _own(arrays, text, shares, report)._replace(cache=Path(place) / "jaxae")


def canonical_name(name: str) -> str:
    """Return a data set's name in a recipe, the absolute path of a file or folder.

    A path is without links and "..", but a file that is a link keeps its own name: stores such as
    git-annex call the file behind it by a digest.
    FashionMNIST and Fashion-MNIST are fashion_mnist, and emnist/letters is TFDS's, unless there is
    such a file or folder.
    """
    if name in ("auto", "synthetic", *OFFICIAL):
        return name

    path = expand(name)
    if path.is_dir():
        return str(path.resolve())
    if path.exists():
        return str(path.parent.resolve() / path.name)

    folded = {_folded(each): each for each in ("auto", "synthetic", *OFFICIAL)}
    if _folded(name) in folded:
        return folded[_folded(name)]

    in_a_folder = len(path.parts) > 1 and Path(path.parts[0]).exists()
    return str(path.absolute()) if in_a_folder or path.suffix else name


def synthetic_dataset(key: jax.Array, *, train: int = 6000, test: int = 1000) -> Dataset:
    """Return the SYNTHETIC data set. train: images, of which a twelfth is for validation."""
    arrays = synthetic_arrays(key, train=train, test=test)
    return split(
        arrays,
        name="synthetic",
        title="SYNTHETIC",
        class_names=CLASS_NAMES,
        source="jaxae, which drew it",
    )


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


def _official(
    name: str, data_dir: str | Path, manual_dir: str | Path | None, report: Report
) -> Dataset:
    place = expand(data_dir)
    manual = manual_dir or os.environ.get("JAXAE_MANUAL_DIR")
    build = functools.partial(fetch, name, place, expand(manual) if manual else None, report)

    if name == "fashion_mnist":
        path = place / "jaxae" / f"{name}.npz"
        arrays = cached(path, build, sha256=FASHION_MNIST_SHA256, report=report)
    else:  # no digest of their arrays is known to check a cache; the files themselves are quick
        arrays = build()

    title, class_names, _ = OFFICIAL[name]
    dataset = split(arrays, name=name, title=title, class_names=class_names, source=str(place))
    return dataset._replace(cache=place / "jaxae")


def _height_and_width(image_size: int | tuple[int, ...] | None) -> Size | None:
    if image_size is None:
        return None

    given = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(given) != 2 or not all(isinstance(each, int) and each > 0 for each in given):
        raise InputError(
            f"image_size is {image_size!r:.60}: give a height and a width, or one number for both"
        )
    return given[0], given[1]


def _folder(
    path: Path,
    place: Path,
    report: Report,
    *,
    size: Size | None,
    skip_damaged: bool,
    labels: Path | None,
) -> Arrays:
    """Return the arrays of a folder's pictures, which are decoded once and kept."""
    pictures = find_pictures(path, report, labels=labels)
    kept = place / "jaxae" / "folders" / f"{path.name}-{json_digest(str(path))[:16]}.npz"
    way = json_digest([image_folder.RULES, size, skip_damaged])
    states = image_folder.file_states(path, pictures)

    report(f"Reading {len(pictures):,} pictures in {path}")
    build = functools.partial(
        image_folder.read_pictures,
        path,
        pictures,
        scratch=kept.parent,
        size=size,
        skip_damaged=skip_damaged,
        report=report,
    )
    arrays = cached(kept, build, sources=states, way=way, report=report)
    for note in arrays.pop("notes").tolist():
        report(note)
    return arrays


def _own(arrays: Arrays, name: str, shares: Shares, report: Report) -> Dataset:
    """Return a data set of the user's own arrays, and say how it is split."""
    rest = {each: array for each, array in arrays.items() if each not in ("class_names", "white")}
    names = tuple(map(str, arrays.get("class_names", ())))
    dataset = split(
        rest,
        name=name,
        title=readable(Path(name).stem),
        class_names=names,
        source=readable(name),
        shares=shares,
    )
    if "white" in arrays:
        dataset = dataset._replace(white=int(arrays["white"]))

    if "validation_images" not in arrays:
        made = "Its splits are" if "images" in arrays else "Its validation split is"
        listed = ", ".join(f"{share:g}" for share in shares)
        report(f"{made} made by the images' bytes, in shares of {listed}")

    if not dataset.class_names and any(each.endswith("labels") for each in arrays):
        report(
            "All of its images have one label, which tells nothing: "
            "they are taken as images without labels"
        )
    return dataset
