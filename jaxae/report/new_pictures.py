"""Read pictures that a run was not trained on, by the rules of its training."""

from pathlib import Path

import numpy as np

from jaxae.data.array_files import read_arrays
from jaxae.data.dataset import Split
from jaxae.data.image_folder import read_new
from jaxae.errors import InputError, Report, expand, legible, show
from jaxae.inference import Run


def read_pictures(run: Run, *places: str | Path, report: Report = show) -> Split:
    """Return new pictures as the run takes them: images u8[N, H, W, C], and their files.

    places: a folder, pictures, or an .npz or .npy file. Pictures are read by the rules of training:
    turned, shown on black or white, scaled to cover the run's size and cut at the edges; of 16 bits
    by the white of its data. Raises InputError.

    >>> from PIL import Image
    >>> Image.new("L", (40, 30), 128).save("new.png")
    >>> pictures = jaxae.read_pictures(run, "new.png", report=lambda told: None)
    >>> jaxae.encode(run, pictures.images).shape
    (1, 2)
    """
    report = legible(report)
    paths = [expand(place) for place in places]
    if not paths:
        raise InputError("no pictures are named: give a folder, pictures, or an .npz file")

    shape = run.config.image_shape
    if len(paths) == 1 and paths[0].suffix in (".npz", ".npy"):
        return _read_arrays(paths[0], shape, report, white=run.white)
    return read_new(paths, shape, report, white=run.white)


def _read_arrays(
    path: Path, shape: tuple[int, int, int], report: Report, *, white: int | None
) -> Split:
    """Return the images of all splits, which must have the shape, named "train 7" or "7"."""
    images = []
    names = []
    for name, array in read_arrays(path, white=white, report=report).items():
        if not name.endswith("images"):
            continue

        part = name.removesuffix("images").removesuffix("_")
        names += [f"{part} {number}".strip() for number in range(len(array))]
        images.append(array if array.ndim == 4 else array[..., None])
        if images[-1].shape[1:] != shape:
            raise InputError(
                f"{path} has images of {list(images[-1].shape[1:])}, and the model takes "
                f"{list(shape)}: give those, or a folder of pictures, which are scaled"
            )
    return Split(np.concatenate(images), files=np.array(names))
