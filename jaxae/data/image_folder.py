"""Read a folder of pictures as uint8 arrays."""

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.data.array_files import Size, read_picture
from jaxae.data.dataset import Arrays
from jaxae.data.folder_layout import Picture
from jaxae.digests import json_digest
from jaxae.errors import InputError, Report

SECONDS = 3.0
"""Time between two lines about progress."""

RULES = 2
"""Version of the rules by which pictures are read: a cache of other rules is not taken."""


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

    Their order follows from the pixels: a picture that is renamed does not change the data.
    size: as read_picture's. Raises InputError for a picture that can't be read, unless
    skip_damaged, and for several sizes without `size`.
    """
    images: list[np.ndarray] = []
    kept: list[Picture] = []
    damaged: list[Path] = []
    told = time.monotonic()

    for picture, found in _read_all(pictures, size):
        if isinstance(found, np.ndarray):
            images.append(found)
            kept.append(picture)
            _check_size(images, kept)
        elif skip_damaged:
            damaged.append(picture.path)
        else:
            raise InputError(
                f"{picture.path} can't be read ({found}): mend or remove it, or give skip_damaged"
            )

        if time.monotonic() - told > SECONDS:
            told = time.monotonic()
            report(f"Reading the pictures in {root}: {len(images):,} of {len(pictures):,}")

    if damaged:
        report(f"{len(damaged)} damaged pictures are left out, such as {damaged[0]}")
    if not images:
        raise InputError(f"{root} holds no picture that can be read, such as {damaged[0]}")

    return _arrays(_alike(images, root, report), kept)


def _read_all(
    pictures: list[Picture], size: Size | None
) -> Iterator[tuple[Picture, np.ndarray | str]]:
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
