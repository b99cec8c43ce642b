"""Read a folder of pictures as uint8 arrays."""

import functools
import hashlib
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from jaxae.data.array_files import as_bytes, find_white
from jaxae.data.dataset import Arrays, Split
from jaxae.data.folder_layout import Picture, picture_files
from jaxae.data.large import take
from jaxae.data.mapped_files import Spool
from jaxae.errors import InputError, Report, readable
from jaxae.pictures import Decoded, Size, covered, read_picture, size_in_header

T = TypeVar("T")

SECONDS = 3.0
"""Time between two lines about progress."""

SIDE = 64
"""Longest side of the size that is chosen for pictures of several sizes."""
LARGEST = 256
"""Longest side of pictures of one size that are taken as they are."""

AHEAD = 1000
"""Pictures that are read before the first of them is taken."""

RULES = 5
"""Version of the rules by which pictures are read: a cache of other rules is not taken."""


def file_states(root: Path, pictures: list[Picture]) -> dict[str, str]:
    """Return a text for each picture, by its path in the folder, that changes when the file does.

    A copy may have the size and the time of the file that it replaces, but not its time of change
    (ctime), which only the system sets.
    """
    states = {}
    for picture in pictures:
        state = "missing"  # a link to nothing
        if picture.path.exists():
            stat = picture.path.stat()
            state = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        states[str(picture.path.relative_to(root))] = f"{state} {picture.label}"
    return states


def read_pictures(
    root: Path,
    pictures: list[Picture],
    *,
    scratch: Path,
    size: Size | None = None,
    skip_damaged: bool = False,
    report: Report,
) -> Arrays:
    """Return {part_}images u8[N, H, W] or u8[N, H, W, 3] and, as texts, {part_}files and _labels.

    Without classes there are no labels. Files are named from the root on. Their order follows from
    the pixels: a picture that is renamed does not change the data. "notes" are lines on how the
    pictures were taken; "white" is there if they had 16 bits. size: as read_picture's, by default
    the one that choose_size gives. scratch: a folder for a temporary file of the pixels. Raises
    InputError for a picture that can't be read, unless skip_damaged.
    """
    paths = [picture.path for picture in pictures]
    sizes = [found for found in in_threads(size_in_header, paths) if found is not None]
    size = size or choose_size(sizes)

    images = Spool(scratch)
    kept: list[Picture] = []
    damaged: list[Path] = []
    noted: defaultdict[str, list[Path]] = defaultdict(list)
    told = time.monotonic()

    read = functools.partial(read_picture, size=size)
    for picture, found in zip(pictures, in_threads(read, paths), strict=True):
        if isinstance(found, Decoded):
            images.append(found.pixels)
            kept.append(picture)
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

    notes = _describe_sizes(sizes, size)
    notes += [f"{note}: {len(paths):,}, such as {paths[0]}" for note, paths in noted.items()]
    if damaged:
        notes.append(f"{len(damaged)} damaged pictures are left out, such as {damaged[0]}")

    white = find_white(images, str(root), notes.append)
    grey = sum(image.ndim == 2 for image in images)
    if 0 < grey < len(images):
        notes.append(
            f"{root} holds {grey:,} grey and {len(images) - grey:,} colour pictures: "
            "all are taken as RGB"
        )

    if images.kinds != {(np.dtype(np.uint8), images[0].shape)}:
        scaled = Spool(scratch)
        for image in _as_bytes(images, [picture.path for picture in kept], white):
            to_rgb = image.ndim == 2 and grey < len(images)
            scaled.append(np.repeat(image[..., None], 3, axis=2) if to_rgb else image)
        images = scaled
    arrays = _arrays(images.stacked(), kept, root)
    if white is not None:
        arrays["white"] = np.array(white)
    return arrays | {"notes": np.array(notes, dtype=str)}


def read_new(
    places: Sequence[Path], shape: tuple[int, int, int], report: Report, *, white: int | None
) -> Split:
    """Return pictures as images of this shape, in the order of their names, with their files.

    places: a folder, or pictures. Files are named from the folder on, or from the one that all
    pictures have in common. white: as find_white's known. Raises InputError for what can't be read.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise InputError(
            f"The model is for images of {channels} channels, and pictures have 1 or 3: "
            "give an .npz or .npy file"
        )

    if len(places) == 1 and places[0].is_dir():
        root = places[0]
        paths = picture_files(root, report)
    else:
        paths = [path.absolute() for path in places]
        root = Path(os.path.commonpath([path.parent for path in paths]))

    found = []
    read = functools.partial(read_picture, size=(height, width))
    for path, each in zip(paths, in_threads(read, paths), strict=True):
        if not isinstance(each, Decoded):
            raise InputError(f"{path} can't be read ({each}): mend it, or leave it out")
        found.append(each.pixels)

    mode = "L" if channels == 1 else "RGB"
    scaled = _as_bytes(found, paths, find_white(found, str(root), report, known=white))
    images = [np.asarray(Image.fromarray(each).convert(mode)).reshape(shape) for each in scaled]

    files = [readable(path.relative_to(root).as_posix()) for path in paths]
    return Split(np.stack(images), files=np.array(files))


def _as_bytes(
    images: Sequence[np.ndarray], paths: Sequence[Path], white: int | None
) -> Iterator[np.ndarray]:
    """Yield the images as u8, grey ones with more bits by one scale for all."""
    for image, path in zip(images, paths, strict=True):
        yield as_bytes(image, f"The pixels of {path}", white=white)


def in_threads(read: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """Yield what is read of each file, of at most AHEAD files before it is taken."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for start in range(0, len(paths), AHEAD):
                yield from pool.map(read, paths[start : start + AHEAD])
        finally:
            pool.shutdown(cancel_futures=True)


def choose_size(sizes: list[Size]) -> Size:
    """Return the size for pictures of these sizes: their own, if it is one and not too large.

    Otherwise it has their median ratio of height to width. Its longer side is the median of theirs,
    but at most SIDE.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST:
        return sizes[0]
    if not sizes:
        return SIDE, SIDE

    ratio = float(np.median([height / width for height, width in sizes]))
    longer = min(SIDE, float(np.median([max(size) for size in sizes])))
    height = longer * min(1.0, ratio)
    width = longer / max(1.0, ratio)
    return max(1, round(height)), max(1, round(width))


def _describe_sizes(sizes: list[Size], size: Size) -> list[str]:
    """Return a line on what is done with pictures of other sizes, if there are any."""
    if set(sizes) <= {size}:
        return []

    smallest = min(sizes, key=math.prod)
    largest = max(sizes, key=math.prod)
    found = f"{smallest[0]}×{smallest[1]}"
    if largest != smallest:
        found = f"{len(set(sizes)):,} sizes from {found} to {largest[0]}×{largest[1]}"

    cut = [1 - math.prod(covered(each, size)) / math.prod(each) for each in sizes]
    lost = "nothing is cut off"
    if max(cut) >= 0.005:
        lost = (
            f"cut evenly on both sides, on average by {np.mean(cut):.0%} of the area, "
            f"at most by {max(cut):.0%}"
        )
    return [
        f"The pictures have {found} (height × width). They are taken as {size[0]}×{size[1]}: "
        f"scaled without distortion, and {lost}. image_size gives another size"
    ]


def _arrays(images: np.ndarray, pictures: list[Picture], root: Path) -> Arrays:
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
        arrays[f"{prefix}images"] = take(images, np.array(mine))
        files = [pictures[number].path.relative_to(root).as_posix() for number in mine]
        arrays[f"{prefix}files"] = np.array([readable(file) for file in files])
        if pictures[0].label is not None:
            arrays[f"{prefix}labels"] = np.array([pictures[number].label for number in mine])
    return arrays
