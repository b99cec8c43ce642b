"""All images of a data set by name: place on the map, error, nearest and equal images; as files."""

import csv
import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxae.data.dataset import Dataset, check_data
from jaxae.evaluation.maps import plane_of
from jaxae.evaluation.reconstruction import clean_errors
from jaxae.inference import Run, encode
from jaxae.runs import files
from jaxae.temporary import replacing


class ImageTable(NamedTuple):
    """A row an image: training, validation, test."""

    file: list[str]
    """Where a picture is in its folder; "test 402" where images have no files."""
    split: list[str]
    label: list[str]
    """Empty without labels."""
    x: np.ndarray
    y: np.ndarray
    """The place on the map, f32[N]: the latent or, of more than two dimensions, its projection."""
    error: np.ndarray
    """Mean squared error of the reconstruction of the clean image, f32[N]."""
    anomaly_rank: np.ndarray
    """int[N]: 1 is the largest error."""
    nearest_file: list[str]
    """The nearest other image in the latent space that is not equal; empty if there is none."""
    equal_to: list[str]
    """Another image with the same pixels; empty if there is none."""


def image_table(run: Run, dataset: Dataset) -> ImageTable:
    """Return the table of a run's images. Raises InputError for other data."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    names: list[str] = []
    splits: list[str] = []
    labels: list[str] = []
    latents = []
    errors = []
    digests: list[bytes] = []

    for part, split in dataset.parts.items():
        names += dataset.names(part)
        splits += [part] * len(split.images)
        if split.labels is None:
            labels += [""] * len(split.images)
        else:
            labels += [dataset.class_names[label] for label in split.labels]

        digests += [hashlib.sha256(image.tobytes()).digest() for image in split.images]
        latents.append(encode(run, split.images))
        errors.append(clean_errors(run, split.images, latents[-1]))

    latent = np.concatenate(latents)
    error = np.concatenate(errors)
    x, y = plane_of(latent).project(latent).T
    rank = np.empty(len(error), int)
    rank[np.argsort(-error, kind="stable")] = np.arange(1, len(error) + 1)
    group = np.unique(np.array(digests, "S32"), return_inverse=True)[1]

    return ImageTable(
        names,
        splits,
        labels,
        x,
        y,
        error,
        rank,
        nearest_file=_named(_nearest(latent, group), names),
        equal_to=_named(_equal(group), names),
    )


def _named(numbers: np.ndarray, names: list[str]) -> list[str]:
    return [names[number] if number >= 0 else "" for number in numbers]


def _equal(group: np.ndarray) -> np.ndarray:
    """Return another image of each image's group, the first one if it can be; else -1. int[N]."""
    _, first, counts = np.unique(group, return_index=True, return_counts=True)
    several = counts > 1
    found = np.where(several, first, -1)[group]

    in_groups = np.argsort(group, kind="stable")
    begins = np.cumsum(counts) - counts
    found[first[several]] = in_groups[begins[several] + 1]
    return found


def _nearest(latents: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the nearest image of another group in the latent space, else -1. int[N]."""
    from scipy.spatial import KDTree  # SciPy is slow to import

    _, first = np.unique(group, return_index=True)
    if len(first) < 2:
        return np.full(len(group), -1)

    _, two = KDTree(latents[first]).query(latents[first], k=2, workers=-1)
    # Images with the same latent may not find themselves first.
    itself = two[:, 0] == np.arange(len(first))
    return first[np.where(itself, two[:, 1], two[:, 0])][group]


def as_csv(table: ImageTable) -> str:
    """Return the table as CSV, headed by the names of its columns."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(ImageTable._fields)
    for row in zip(*table, strict=True):
        rows.writerow([f"{each:.6g}" if isinstance(each, np.floating) else each for each in row])
    return text.getvalue()


def write_parquet(path: Path, table: ImageTable) -> None:
    """Write the table as Parquet. Raises InputError if the system refuses."""
    import pyarrow  # here, not above: 0.2 s
    import pyarrow.parquet

    columns = pyarrow.table(table._asdict())
    # pyarrow takes paths in UTF-8 alone.
    with files.file_errors(path), replacing(path) as unfinished, unfinished.open("wb") as file:
        pyarrow.parquet.write_table(columns, file)
