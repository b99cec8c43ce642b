"""The neighbours of a data set's training images, found once and kept."""

import math

import numpy as np

from jaxae.core.neighbours import nearest_neighbours, neighbour_count
from jaxae.data.cache import cached
from jaxae.data.dataset import Arrays, Dataset, sample
from jaxae.errors import Report, expand

COMPARED, COMPARED_BYTES = 100_000, 2**28
"""Most images that are compared with one another for their neighbours, and their bytes. Time grows
with the square of their number, and as float32 they take four times as much."""


def training_neighbours(dataset: Dataset, *, report: Report) -> np.ndarray:
    """Return the nearest neighbours of the training images, i32[N, K]; found once and kept.

    Of very many or large images each is compared with those of its own random part alone.
    """
    images = dataset.train.images

    def find() -> Arrays:
        count = neighbour_count(len(images))
        most = max(10 * count, min(COMPARED, COMPARED_BYTES // images[:1].nbytes))
        parts = np.array_split(sample(len(images), len(images)), math.ceil(len(images) / most))
        among = f"{len(parts[0]):,}" if len(parts) == 1 else f"{len(parts[0]):,} drawn at random"
        report(f"Finding the {count} nearest of each image among {among}, once for these data")

        neighbours = np.empty((len(images), count), np.int32)
        for part in map(np.sort, parts):
            neighbours[part] = part[nearest_neighbours(images[part], count=count)]
        return {"neighbours": neighbours}

    if dataset.cache is None:
        return find()["neighbours"]
    path = expand(dataset.cache) / "neighbours" / f"{dataset.digest[:16]}.npz"
    return cached(path, find, report=report)["neighbours"]
