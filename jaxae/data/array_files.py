"""Read files of images as uint8 arrays: NumPy's .npz and .npy, and IDX. No pickles."""

import functools
import gzip
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxae.core.images import ROUNDING
from jaxae.data.dataset import Arrays
from jaxae.data.large import in_blocks
from jaxae.data.mapped_files import read_npy, read_npz
from jaxae.errors import InputError, Report, brief, silent

PARTS = ("train_", "validation_", "test_", "")
NAMES = {f"{part}{what}" for part in PARTS for what in ("images", "labels")} | {"class_names"}
ALIASES = {"x": "images", "y": "labels", "val": "validation"}
"""Keras has x_train and y_train, MedMNIST val_images."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of a camera's values, which may lie in files of 16 bits."""
HOT = 1e-4
"""Largest share of values that may be a camera's hot pixels."""

END_RECORD = 22
"""Bytes of the last record of a zip file, which a comment of up to 0xFFFF bytes may follow."""


def read_arrays(path: Path, *, white: int | None = None, report: Report = silent) -> Arrays:
    """Return {train,validation,test}_images and _labels, or images and labels, and class_names.

    Images become u8[N, H, W] or u8[N, H, W, C], by the rules of find_white and as_bytes; white is
    there if they had 16 bits. white: as find_white's known. Raises InputError.
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
    white = find_white([arrays[name] for name in images], str(path), report, known=white)
    for name in images:
        arrays[name] = as_bytes(arrays[name], f"{path}: {name}", white=white)
    if white is not None:
        arrays["white"] = np.array(white)

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


def find_white(
    images: Sequence[np.ndarray], what: str, report: Report, *, known: int | None = None
) -> int | None:
    """Return the value of 16 bits that is white in a data set, None where none has 16 bits.

    Cameras of 12 bits, say, write files of 16. The fewest of DEPTHS that hold the largest value are
    taken, and reported. images: all of the data set, of which those of other types do not count.
    known: the white of the data that a run was trained on, which is taken instead.
    """
    wide = [each for each in images if _is_wide(each) and each.size]
    if not wide:
        return None

    largest = max(int(each.max()) for each in wide)
    if known is not None:
        if largest > known:
            report(
                f"{what} has values of at most {largest:,}, and {known:,} is white in the data "
                "that the run was trained on: what is above becomes white"
            )
        return known

    bits = next(depth for depth in DEPTHS if largest < 2**depth)
    white = 2**bits - 1
    if bits < DEPTHS[-1]:
        report(
            f"{what} has images of 16 bits with values of at most {largest:,}: "
            f"they are taken as {bits} bits, of which {white:,} is white"
        )
    _report_hot(wide, bits, what, report)
    return white


def _report_hot(wide: Sequence[np.ndarray], bits: int, what: str, report: Report) -> None:
    """Say so if fewer bits would hold all values but a few, which may be hot pixels."""
    count = sum(each.size for each in wide)
    for fewer in DEPTHS[: DEPTHS.index(bits)]:
        blocks = (block for each in wide for block in in_blocks(each))
        above = sum(int(np.count_nonzero(block >= 2**fewer)) for block in blocks)
        if above <= HOT * count:
            report(
                f"{what} has {above:,} of {count:,} values above {2**fewer - 1:,}, the white of "
                f"{fewer} bits: if these are hot pixels, clip them, or all else is darker"
            )
            return


def as_bytes(images: np.ndarray, what: str, *, white: int | None) -> np.ndarray:
    """Return u8[...] as it is, and others scaled so that white becomes 255.

    White is True, 1 of floats, and of u16 as find_white says; what is above becomes 255 too. Raises
    InputError for other types, and for floats outside [0, 1].
    """
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if white is not None and _is_wide(images):
        return _by_blocks(images, functools.partial(_wide_to_255, white=white))
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
    return _by_blocks(images, _unit_to_255)


def _unit_to_255(images: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(images, 0, 1) * 255)


def _wide_to_255(images: np.ndarray, *, white: int) -> np.ndarray:
    clipped = np.minimum(images, white).astype(np.float32)
    return np.rint(clipped * np.float32(255 / white))


def _by_blocks(images: np.ndarray, scale: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return scaled images as u8[...], which take no more memory than that."""
    scaled = np.empty(images.shape, np.uint8)
    done = 0
    for block in in_blocks(images):
        scaled[done : done + len(block)] = scale(block)
        done += len(block)
    return scaled


def _is_wide(images: np.ndarray) -> bool:
    """Whether an array is u16, in the order of bytes of any machine."""
    return images.dtype.kind == "u" and images.dtype.itemsize == 2


def _load(path: Path, report: Report) -> list[tuple[str, np.ndarray]]:
    """Return the names and arrays of a file. An .npy file's array is called images."""
    try:
        report(f"Reading {path}, {path.stat().st_size / 1e6:,.1f} MB")
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            if is_zip:
                found = list(read_npz(path).items())
                _check_count(file, len(found))
            else:
                found = [("images", read_npy(path))]

        for _, array in found:
            if isinstance(array, np.ndarray) and array.dtype.kind == "U":
                array.tolist()  # raises for what is no character, which NumPy does not look for
    except MemoryError:
        raise
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
