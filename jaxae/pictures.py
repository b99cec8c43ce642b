"""Read picture files as people have them, of any kind and size; and tables of their labels."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from jaxae.errors import InputError, brief

GREY = {"1", "L", "LA", "La"}
"""Pillow's modes of one channel of bytes, with or without transparency."""
MOST_PIXELS = 50_000_000
NEARLY_BLACK = 64
"""A picture without a value above this, of 255, shows hardly anything on black."""
TURNED = (5, 6, 7, 8)
"""Values of EXIF's orientation that exchange height and width."""
Size = tuple[int, int]
"""Height and width."""

FRAMES = "Of pictures with several pages or frames the first is taken"
ON_BLACK = "Transparent pictures are shown on black"
ON_WHITE = "Transparent pictures are shown on white where black would hide them"


class Decoded(NamedTuple):
    """A picture's pixels, and what was done with it that a person should know."""

    pixels: np.ndarray
    """u8[H, W] or u8[H, W, 3]; of grey with more bits u16[H, W] or f32[H, W]."""
    notes: tuple[str, ...] = ()


def read_picture(path: Path, *, size: Size | None = None) -> Decoded | str:
    """Return a picture, or what is wrong with it. size: scale it to cover that, and cut its edges.

    EXIF says how to turn it. Grey stays grey, as do palettes of grey, and all other modes become
    RGB. Transparent pictures are shown on black, or on white if black would hide them.
    Of several pages or frames the first is taken.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return f"{opened.height}×{opened.width} pixels, more than {MOST_PIXELS:,}"

            notes = [FRAMES] if getattr(opened, "is_animated", False) else []
            if size is not None:
                # Of a large JPEG only an eighth of the rows and columns need be decoded.
                opened.draft(None, (2 * max(size), 2 * max(size)))
            image = ImageOps.exif_transpose(opened)
            is_wide = image.mode.startswith("I")

            image = _plain(image, notes)
            if size is not None:
                image = cover(image, size)

            pixels = np.asarray(image)
            return Decoded(np.rint(pixels).astype(np.uint16) if is_wide else pixels, tuple(notes))
    except Exception as error:  # Pillow's decoders raise many types
        return brief(error)


def size_in_header(path: Path) -> Size | None:
    """Return the size of a picture after it is turned; None if it can't be read."""
    try:
        with Image.open(path) as opened:
            # Not PNG's own getexif, which decodes the picture.
            orientation = Image.Image.getexif(opened).get(ExifTags.Base.Orientation)
            if orientation in TURNED:
                return opened.width, opened.height
            return opened.height, opened.width
    except Exception:  # Pillow's decoders raise many types
        return None


def cover(image: Image.Image, size: Size) -> Image.Image:
    """Return the picture scaled until it covers a size, without what stands out on both sides."""
    height, width = size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)


def covered(found: Size, size: Size) -> Size:
    """Return the height and width of the middle part of a picture that cover shows."""
    height, width = found
    return (
        max(1, min(height, round(width * size[0] / size[1]))),
        max(1, min(width, round(height * size[1] / size[0]))),
    )


def read_labels(table: Path) -> dict[str, str]:
    """Return the labels of a CSV file by their files. Raises InputError."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            columns = rows.fieldnames or []
            if not {"file", "label"} <= set(columns):
                raise InputError(
                    f"{table} has the columns {', '.join(columns) or 'of nothing'}: "
                    "give file and label in its first line"
                )
            pairs = [(row["file"].replace("\\", "/"), (row["label"] or "").strip()) for row in rows]
    except OSError as error:
        raise InputError(
            f"labels is {table}, which can't be read ({error.strerror}): name a CSV file"
        ) from error
    except (csv.Error, UnicodeError) as error:
        raise InputError(f"{table} is no CSV file in UTF-8 ({brief(error)}): mend it") from error

    labels: dict[str, str] = {}
    for file, label in pairs:
        if not label:
            raise InputError(f"{table} has an empty label for {file}: give one")
        if labels.setdefault(file, label) != label:
            raise InputError(
                f"{table} gives {file} the labels {labels[file]} and {label}: leave one out"
            )
    return labels


def _plain(image: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture in L, RGB or, for grey with more bits, F; and note what is changed."""
    if image.mode == "F":
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"values from {values.min()} to {values.max()}, not of 16 bits")
        return Image.fromarray(values.astype(np.float32))

    grey = image.mode in GREY
    palette = image.mode in ("P", "PA")

    if image.mode.lower().endswith("a") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = _laid_on("black", clear)
        if np.asarray(clear.getchannel("A")).min() < 255:
            white = _laid_on("white", clear)
            black_shows_less = _contrast(image) < min(NEARLY_BLACK, _contrast(white))
            image = white if black_shows_less else image
            notes.append(ON_WHITE if black_shows_less else ON_BLACK)

    if palette:
        colours = np.asarray(image.convert("RGB"))
        grey = bool((colours == colours[..., :1]).all())
    return image.convert("L" if grey else "RGB")


def _laid_on(colour: str, clear: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", clear.size, colour)
    return Image.alpha_composite(ground, clear).convert("RGB")


def _contrast(image: Image.Image) -> int:
    """Return the difference between a picture's highest and lowest value."""
    values = np.asarray(image)
    return int(values.max()) - int(values.min())
