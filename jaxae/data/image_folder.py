"""A folder of pictures → uint8 arrays.

root/*.png has no labels, root/CLASS/*.png has; root/{train,validation,test}/... has its own splits.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.data.array_files import Size, read_picture
from jaxae.data.dataset import Arrays
from jaxae.digests import json_digest
from jaxae.errors import InputError, Report

SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
}
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
SECONDS = 3.0
"""Between two lines about progress."""
RULES = 1
"""Counts the versions of read_picture's rules: a cache of other rules is not read."""


class Picture(NamedTuple):
    """A file, and what its folders say of it."""

    path: Path
    part: str
    """train, validation or test; empty where the folder has no splits of its own."""
    label: str | None


def find_pictures(root: Path, report: Report) -> list[Picture]:
    """The pictures below a folder, by name. Raises InputError where there are none, or no order that is known."""
    names = {
        each.name.lower()
        for each in root.iterdir()
        if each.is_dir() and not each.name.startswith(".")
    }
    own_splits = "train" in {SPLITS.get(name) for name in names} and names <= SPLITS.keys()
    found, others = [], []
    for path in _files(root):
        folders = path.relative_to(root).parts[:-1]
        part = SPLITS[folders[0].lower()] if own_splits and folders else ""
        inner = folders[1:] if part else folders
        if path.suffix.lower() not in SUFFIXES:
            others.append(path)
        else:
            found.append(Picture(path, part, inner[0] if inner else None))
    if not found:
        raise InputError(
            f"{root} holds no pictures ({', '.join(sorted(SUFFIXES))}): name another folder with --dataset"
        )
    labelled = [picture for picture in found if picture.label is not None]
    if labelled and len(labelled) < len(found):
        beside = next(picture.path for picture in found if picture.label is None)
        raise InputError(
            f"{root} holds pictures in folders of classes, and {beside} in none: give each a class, or none of them"
        )
    if own_splits and not {"train", "test"} <= {picture.part for picture in found} <= {
        *SPLITS.values()
    }:
        raise InputError(
            f"{root} holds pictures for {', '.join(sorted({p.part or 'no split' for p in found}))}: give train and test"
        )
    if others:
        report(f"{len(others):,} other files are passed over, such as {others[0]}")
    return found


def fingerprint(pictures: list[Picture], **rules: Any) -> str:
    """SHA-256 of the pictures' names, sizes and times, and of how they are read."""
    stats = [
        (str(each.path), each.path.stat().st_size, each.path.stat().st_mtime_ns)
        for each in pictures
    ]
    return json_digest([RULES, stats, rules])


def read_pictures(
    root: Path,
    pictures: list[Picture],
    *,
    size: Size | None = None,
    skip_damaged: bool = False,
    report: Report,
) -> Arrays:
    """{part_}images u8[N, H, W] or u8[N, H, W, 3] and, with classes, {part_}labels, texts. size: as read_picture's.

    Raises InputError for a picture that can't be read, unless skip_damaged, and for several sizes without `size`.
    """
    images: list[np.ndarray] = []
    kept: list[Picture] = []
    damaged: list[Path] = []
    told = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for picture, result in zip(
                pictures,
                pool.map(lambda each: read_picture(each.path, size=size), pictures),
                strict=True,
            ):
                if isinstance(result, str):
                    if not skip_damaged:
                        raise InputError(
                            f"{picture.path} can't be read ({result}): mend or remove it, or give --skip-damaged"
                        )
                    damaged.append(picture.path)
                    continue
                if images and result.shape[:2] != images[0].shape[:2]:
                    first, this = (
                        "×".join(map(str, each.shape[:2])) for each in (images[0], result)
                    )
                    sizes = f"{kept[0].path} is {first} and {picture.path} is {this}"
                    raise InputError(f"{sizes} (height × width): give --image-size HEIGHT WIDTH")
                images.append(result)
                kept.append(picture)
                if time.monotonic() - told > SECONDS:
                    told = time.monotonic()
                    report(f"Reading the pictures in {root}: {len(images):,} of {len(pictures):,}")
        finally:
            pool.shutdown(cancel_futures=True)
    if damaged:
        report(f"{len(damaged)} damaged pictures are left out, such as {damaged[0]}")
    if not images:
        raise InputError(
            f"{root} holds no picture that can be read: {damaged[0]} and {len(damaged) - 1} others are damaged"
        )
    return _arrays(_alike(images, root, report), kept)


def _files(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _alike(images: list[np.ndarray], root: Path, report: Report) -> np.ndarray:
    grey = sum(image.ndim == 2 for image in images)
    if 0 < grey < len(images):
        report(
            f"{root} holds {grey:,} grey and {len(images) - grey:,} colour pictures: all are taken as RGB"
        )
        images = [
            np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image for image in images
        ]
    return np.stack(images)


def _arrays(images: np.ndarray, pictures: list[Picture]) -> Arrays:
    parts, labels = (
        np.array([getattr(picture, name) for picture in pictures]) for name in ("part", "label")
    )
    arrays: Arrays = {}
    for part in sorted(set(parts.tolist())):
        prefix, mine = f"{part}_" if part else "", parts == part
        arrays |= {f"{prefix}images": images[mine]} | (
            {f"{prefix}labels": labels[mine]} if labels.dtype.kind == "U" else {}
        )
    return arrays
