"""jaxae denoise: writes any pictures as the model reconstructs them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jaxae.cli.encode import NewPictures
from jaxae.cli.messages import say
from jaxae.errors import InputError, expand
from jaxae.inference import corrupt, reconstruct
from jaxae.pictures import covered, size_in_header
from jaxae.runs import files
from jaxae.temporary import replacing


def main(new: NewPictures, *, out: Path = Path("denoised"), noise: float = 0.0) -> None:
    """Writes each picture as the model reconstructs it: OUT/NAME.png.

    A picture is scaled to cover the run's size and cut at the edges, and its reconstruction is
    scaled back. It has the picture's size, without what was cut, and the detail of the run's size.

    Example: jaxae denoise checkpoints/pictures ~/new --out denoised

    Args:
        out: The folder for the pictures. Files that are there already are never replaced.
        noise: Standard deviation of noise to add first, for pixels in [0, 1].
    """
    run, pictures = new.read()
    assert pictures.files is not None
    if run.model.image_shape[2] not in (1, 3):
        raise InputError(
            f"The model is for images of {run.model.image_shape[2]} channels, which are no "
            "pictures: use jaxae.reconstruct"
        )

    folder = expand(out)
    places = [
        folder / (file if file.endswith(".png") else f"{file}.png") for file in pictures.files
    ]
    for place in places:
        if place.exists():
            raise InputError(f"{place} is there already: give --out another folder")

    images = reconstruct(run, corrupt(pictures.images, std=noise))
    originals = _originals(new.pictures, pictures.files)
    for place, image, original in zip(places, images, originals, strict=True):
        _write(place, image, original)
    several = f"{len(places):,} pictures to {folder}, such as " if len(places) > 1 else ""
    say(f"Wrote {several}{places[0]}")


def _originals(given: Sequence[Path], names: np.ndarray) -> list[Path]:
    """Return the files of the pictures; for arrays files that do not exist."""
    first = expand(given[0])
    if first.is_dir() or len(given) != len(names):
        return [first / name for name in names]
    return [expand(path) for path in given]


def _write(place: Path, image: np.ndarray, original: Path) -> None:
    """Write an image f32[H, W, C] in [0, 1] in the size of what it shows of the original."""
    height, width, channels = image.shape
    pixels = np.rint(image * 255).astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)

    size = size_in_header(original)
    if size is not None:
        high, wide = covered(size, (height, width))
        picture = picture.resize((wide, high), Image.Resampling.BICUBIC)

    with files.file_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as unfinished:
            picture.save(unfinished, "PNG")
