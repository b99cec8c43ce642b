"""Read a folder of pictures as uint8 arrays."""

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from jaxae.data.array_files import as_bytes, find_white
from jaxae.data.dataset import Arrays
from jaxae.data.folder_layout import Picture
from jaxae.digests import json_digest
from jaxae.errors import InputError, Report, brief

SECONDS = 3.0
"""Time between two lines about progress."""

RULES = 3
"""Version of the rules by which pictures are read: a cache of other rules is not taken."""

GREY = {"1", "L", "LA", "La"}
"""Pillow's modes of one channel of bytes, with or without transparency."""

MOST_PIXELS = 50_000_000
Size = tuple[int, int]
"""Height and width."""

FRAMES = "have several pages or frames, of which the first is taken"
TRANSPARENT = "have transparent pixels, which are laid on black"


class Decoded(NamedTuple):
    """A picture's pixels, and what was done with it that a person should know."""

    pixels: np.ndarray
    """u8[H, W] or u8[H, W, 3]; of grey with more bits u16[H, W] or f32[H, W]."""
    notes: tuple[str, ...] = ()


def fingerprint(pictures: list[Picture], **rules: Any) -> str:
    """Return the SHA-256 of the pictures' names, sizes and times, and of how they are read."""
    stats = []
    for picture in pictures:
        if picture.path.exists():
            stat = picture.path.stat()
            stats.append((str(picture.path), stat.st_size, stat.st_mtime_ns))
        else:  # a link to nothing, which is damaged
            stats.append((str(picture.path), 0, 0))

    return json_digest([RULES, stats, rules])


def read_pictures(
    root: Path,
    pictures: list[Picture],
    *,
    size: Size | None = None,
    skip_damaged: bool = False,
    report: Report,
) -> Arrays:
    """Return {part_}images u8[N, H, W] or u8[N, H, W, 3] and, with classes, {part_}labels, texts.

    Their order follows from the pixels: a picture that is renamed does not change the data. "notes"
    are lines on how the pictures were taken. size: as read_picture's. Raises InputError for a
    picture that can't be read, unless skip_damaged, and for several sizes without `size`.
    """
    images: list[np.ndarray] = []
    kept: list[Picture] = []
    damaged: list[Path] = []
    noted: defaultdict[str, list[Path]] = defaultdict(list)
    told = time.monotonic()

    for picture, found in _read_all(pictures, size):
        if isinstance(found, Decoded):
            images.append(found.pixels)
            kept.append(picture)
            _check_size(images, kept)
            for note in found.notes:
                noted[note].append(picture.path)
        elif skip_damaged:
            damaged.append(picture.path)
        else:
            raise InputError(
                f"{picture.path} can't be read ({found}): mend or remove it, or give skip_damaged"
            )

        if time.monotonic() - told > SECONDS:
            told = time.monotonic()
            report(f"Reading the pictures in {root}: {len(images):,} of {len(pictures):,}")

    if not images:
        raise InputError(f"{root} holds no picture that can be read, such as {damaged[0]}")

    notes = [
        f"{len(paths):,} pictures {note} (such as {paths[0]})" for note, paths in noted.items()
    ]
    if damaged:
        notes.append(f"{len(damaged)} damaged pictures are left out, such as {damaged[0]}")

    white = find_white(images, str(root), notes.append)
    scaled = [
        as_bytes(image, f"The pixels of {picture.path}", white=white)
        for image, picture in zip(images, kept, strict=True)
    ]
    arrays = _arrays(_alike(scaled, root, notes.append), kept)
    return arrays | {"notes": np.array(notes, dtype=str)}


def read_picture(path: Path, *, size: Size | None = None) -> Decoded | str:
    """Return a picture, or what is wrong with it. size: resize it to that.

    EXIF says how to turn it. Grey stays grey, as do palettes of grey, and all other modes become
    RGB. Transparent pixels are laid on black. Of several pages or frames the first is taken.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return f"{opened.height}×{opened.width} pixels, more than {MOST_PIXELS:,}"

            notes = [FRAMES] if getattr(opened, "is_animated", False) else []
            image = ImageOps.exif_transpose(opened)
            is_wide = image.mode.startswith("I")

            image = _plain(image, notes)
            if size is not None:
                height, width = size
                image = image.resize((width, height), Image.Resampling.BILINEAR)

            pixels = np.asarray(image)
            return Decoded(np.rint(pixels).astype(np.uint16) if is_wide else pixels, tuple(notes))
    except Exception as error:  # Pillow's decoders raise many types
        return brief(error)


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
        if np.asarray(clear.getchannel("A")).min() < 255:
            notes.append(TRANSPARENT)
        black = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, clear)

    if palette:
        colours = np.asarray(image.convert("RGB"))
        grey = bool((colours == colours[..., :1]).all())
    return image.convert("L" if grey else "RGB")


def _read_all(
    pictures: list[Picture], size: Size | None
) -> Iterator[tuple[Picture, Decoded | str]]:
    """Yield each picture with its pixels, or with what is wrong with it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            found = pool.map(lambda picture: read_picture(picture.path, size=size), pictures)
            yield from zip(pictures, found, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _check_size(images: list[np.ndarray], pictures: list[Picture]) -> None:
    """Raise InputError unless the last picture has the size of the first."""
    first, last = images[0].shape[:2], images[-1].shape[:2]
    if first != last:
        sizes = (
            f"{pictures[0].path} is {first[0]}×{first[1]} and "
            f"{pictures[-1].path} is {last[0]}×{last[1]} (height × width)"
        )
        raise InputError(f"{sizes}: give image_size, a height and a width")


def _alike(images: list[np.ndarray], root: Path, report: Report) -> np.ndarray:
    """Return all images in grey, or all in RGB if one of them is."""
    grey = sum(image.ndim == 2 for image in images)
    if 0 < grey < len(images):
        report(
            f"{root} holds {grey:,} grey and {len(images) - grey:,} colour pictures: "
            "all are taken as RGB"
        )
        images = [
            np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image for image in images
        ]
    return np.stack(images)


def _arrays(images: np.ndarray, pictures: list[Picture]) -> Arrays:
    """Return the arrays of each split, in the order of the digests of images and labels."""
    keys = [
        hashlib.sha256(os.fsencode(f"{picture.label}\n") + image.tobytes()).digest()
        for image, picture in zip(images, pictures, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)

    arrays: Arrays = {}
    for part in sorted({picture.part for picture in pictures}):
        mine = [number for number in order if pictures[number].part == part]
        prefix = f"{part}_" if part else ""
        arrays[f"{prefix}images"] = images[mine]
        if pictures[0].label is not None:
            arrays[f"{prefix}labels"] = np.array([pictures[number].label for number in mine])
    return arrays
