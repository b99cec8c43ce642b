"""Images as tiles of a few large pictures, for pages."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

SIDE = 4096
"""Most pixels along a side of a picture: phones refuse larger canvases."""
WEBP_QUALITY = 75


@dataclass(frozen=True)
class Sheets:
    """Images as tiles of a few large pictures."""

    type: str
    sum: int | None
    """Sum of all pixels: the page checks what its browser reads. None for lossy pictures."""
    pictures: list[str]


def tiled(images: np.ndarray, *, small: bool) -> Sheets:
    """Return u8[N, H, W, C] as pictures. small: with loss.

    Images of three channels are colour tiles; of others each channel is a grey tile.
    """
    count, height, width, channels = images.shape
    if channels == 3:
        tiles = images
    else:
        planes = images.transpose(0, 3, 1, 2)
        tiles = planes.reshape(count, channels * height, width, 1)

    columns = max(1, min(math.ceil(math.sqrt(count)), SIDE // tiles.shape[2]))
    rows = max(1, SIDE // tiles.shape[1])
    per_sheet = columns * rows

    return Sheets(
        type="image/webp" if small else "image/png",
        sum=None if small else int(images.sum(dtype=np.int64)),
        pictures=[
            _sheet(tiles[start : start + per_sheet], columns, small=small)
            for start in range(0, count, per_sheet)
        ],
    )


def _sheet(tiles: np.ndarray, columns: int, *, small: bool) -> str:
    """Return u8[N, H, W, 1 or 3] as one picture, row by row, in base64."""
    count, height, width, depth = tiles.shape
    rows = math.ceil(count / columns)

    padded = np.zeros((rows * columns, height, width, depth), np.uint8)
    padded[:count] = tiles

    grid = padded.reshape(rows, columns, height, width, depth).swapaxes(1, 2)
    sheet = grid.reshape(rows * height, columns * width, depth)
    picture = Image.fromarray(sheet[..., 0] if depth == 1 else sheet)

    file = io.BytesIO()
    if small:
        picture.save(file, "WEBP", quality=WEBP_QUALITY)
    else:
        picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
