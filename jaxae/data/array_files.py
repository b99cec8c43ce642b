"""Read files of images as uint8 arrays: NumPy's .npz and .npy, and IDX. No pickles."""

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxae.core.images import ROUNDING
from jaxae.data.dataset import Arrays
from jaxae.errors import InputError, Report, brief, silent

PARTS = ("train_", "validation_", "test_", "")
NAMES = {f"{part}{what}" for part in PARTS for what in ("images", "labels")} | {"class_names"}
ALIASES = {"x": "images", "y": "labels", "val": "validation"}
"""Keras has x_train and y_train, MedMNIST val_images."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of a camera's values, which may lie in files of 16 bits."""

END_RECORD = 22
"""Bytes of the last record of a zip file, which a comment of up to 0xFFFF bytes may follow."""


def read_arrays(path: Path, *, report: Report = silent) -> Arrays:
    """Return {train,validation,test}_images and _labels, or images and labels, and class_names.

    Images become u8[N, H, W] or u8[N, H, W, C], by the rules of find_white and as_bytes.
    Raises InputError.
    """
    arrays: Arrays = {}
    for told, array in _load(path, report):
        name = _name(told)

        if name not in NAMES or not isinstance(array, np.ndarray):
            raise InputError(
                f"{path} holds {told[:60]}: give arrays with the names {', '.join(sorted(NAMES))}"
            )
        if name in arrays:
            raise InputError(
                f"{path} holds {name} twice, the second time as {told}: leave one of them out"
            )

        arrays[name] = array if name.endswith("images") else _as_column(array)

    images = [name for name in arrays if name.endswith("images")]
    white = find_white([arrays[name] for name in images], str(path), report)
    for name in images:
        arrays[name] = as_bytes(arrays[name], f"{path}: {name}", white=white)

    names = arrays.get("class_names")
    if names is not None and (names.ndim != 1 or names.dtype.kind not in "iuU"):
        raise InputError(
            f"{path} holds class_names that are no list of texts: "
            "give one for each class, in their order"
        )
    return arrays


def read_idx(path: Path) -> np.ndarray:
    """Return the array in a gzipped IDX file of bytes (LeCun). Raises InputError.

    The bytes of such a file: two zeros, 8 for unsigned bytes, the rank, the shape as big-endian
    u32, the data.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
        if raw[:3] != b"\0\0\x08":
            raise ValueError(f"begins with {raw[:3].hex()}, not with 000008")

        rank = raw[3]
        shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, IndexError) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete that file and get it again"
        ) from error


def find_white(images: Sequence[np.ndarray], what: str, report: Report) -> int:
    """Return the value of 16 bits that is white in a data set: 65535, or less if so few bits do.

    Cameras of 12 bits, say, write files of 16. The fewest of DEPTHS that hold the largest value are
    taken, and reported. images: all of the data set, of which those of other types do not count.
    """
    largest = max((int(each.max()) for each in images if _is_wide(each) and each.size), default=-1)
    bits = next(depth for depth in DEPTHS if largest < 2**depth)
    if largest < 0 or bits == DEPTHS[-1]:
        return 65535

    white = 2**bits - 1
    report(
        f"{what} has images of 16 bits with values of at most {largest:,}: "
        f"they are taken as {bits} bits, of which {white:,} is white"
    )
    return white


def as_bytes(images: np.ndarray, what: str, *, white: int = 65535) -> np.ndarray:
    """Return u8[...] as it is, and others scaled so that white becomes 255.

    White is True, 1 of floats, and of u16 as find_white says. Raises InputError for other types,
    and for floats outside [0, 1].
    """
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if _is_wide(images):
        return np.rint(images.astype(np.float32) * np.float32(255 / white)).astype(np.uint8)
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(
            f"{what} are {images.dtype}: give uint8 in 0 ... 255, uint16, or floats in [0, 1]"
        )

    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 1.0)
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false for NaN too
        raise InputError(
            f"{what} have values from {low:g} to {high:g}: "
            "give floats in [0, 1], uint8 in 0 ... 255, or uint16"
        )
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def _is_wide(images: np.ndarray) -> bool:
    """Whether an array is u16, in the order of bytes of any machine."""
    return images.dtype.kind == "u" and images.dtype.itemsize == 2


def _load(path: Path, report: Report) -> list[tuple[str, np.ndarray]]:
    """Return the names and arrays of a file. An .npy file's array is called images."""
    try:
        report(f"Reading {path}, {path.stat().st_size / 1e6:,.1f} MB")
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                found = [("images", loaded)]
                if file.read(1):
                    raise ValueError("more follows the first array")
            else:
                _check_count(file, len(loaded.files))
                found = [(name, loaded[name]) for name in loaded.files]

        for _, array in found:
            if isinstance(array, np.ndarray) and array.dtype.kind == "U":
                array.tolist()  # raises for what is no character, which NumPy does not look for
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}): name another dataset") from error
    except Exception as error:  # NumPy, zipfile and their decoders raise many types
        raise InputError(
            f"{path} is damaged, or not a file of arrays ({brief(error)}): "
            "save numbers with numpy.savez; jaxae loads no Python objects"
        ) from error
    return found


def _check_count(file: BinaryIO, found: int) -> None:
    """Raise ValueError if a zip's last record counts others than the arrays that were found.

    Python's zipfile does not notice that one is lost.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - END_RECORD - 0xFFFF))
    tail = file.read()

    record = tail[tail.rfind(b"PK\5\6") :]
    counted = int.from_bytes(record[10:12], "little")
    if counted not in (found, 0xFFFF):  # 0xFFFF: the count is elsewhere
        raise ValueError(f"{found} arrays are listed in it, and {counted} were saved")


def _name(told: str) -> str:
    """Return our name of an array: train_images for x_train."""
    words = [ALIASES.get(word, word) for word in told.split("_")]
    if len(words) != 2 or told in NAMES:
        return told

    first, second = words
    if first in ("images", "labels"):
        return f"{second}_{first}"
    return f"{first}_{second}"


def _as_column(labels: np.ndarray) -> np.ndarray:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
