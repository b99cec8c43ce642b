"""Read files of images as uint8 arrays: NumPy's .npz and .npy, IDX, pictures. No pickles."""

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from jaxae.core.images import ROUNDING
from jaxae.data.dataset import Arrays
from jaxae.errors import InputError, Report, brief, silent

PARTS = ("train_", "validation_", "test_", "")
NAMES = {f"{part}{what}" for part in PARTS for what in ("images", "labels")} | {"class_names"}
ALIASES = {"x": "images", "y": "labels", "val": "validation"}
"""Keras has x_train and y_train, MedMNIST val_images."""

GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B"}
"""Pillow's modes of one channel, with or without transparency."""
MOST_PIXELS = 50_000_000
Size = tuple[int, int]
"""Height and width."""

END_RECORD = 22
"""Bytes of the last record of a zip file, which a comment of up to 0xFFFF bytes may follow."""


def read_arrays(path: Path, *, report: Report = silent) -> Arrays:
    """Return {train,validation,test}_images and _labels, or images and labels, and class_names.

    Images become u8[N, H, W] or u8[N, H, W, C]; floats in [0, 1] are multiplied by 255 and rounded.
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

        is_images = name.endswith("images")
        arrays[name] = _as_bytes(array, f"{path}: {name}") if is_images else _as_column(array)

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


def read_picture(path: Path, *, size: Size | None = None) -> np.ndarray | str:
    """Return a picture, u8[H, W] or u8[H, W, 3], or what is wrong with it. size: resize it to that.

    EXIF says how to turn it. Grey stays grey, and all other modes become RGB. Values of 16 bits are
    divided by 257. Transparent pixels are laid on black. Of an animation the first frame is taken.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return f"{opened.height}×{opened.width} pixels, more than {MOST_PIXELS:,}"

            image = _plain(ImageOps.exif_transpose(opened))
            if size is not None:
                height, width = size
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image)
    except Exception as error:  # Pillow's decoders raise many types
        return brief(error)


def _load(path: Path, report: Report) -> list[tuple[str, np.ndarray]]:
    """Return the names and arrays of a file. An .npy file's array is called images."""
    try:
        report(f"Reading {path}, {path.stat().st_size / 1e6:,.1f} MB")
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                found = [("images", loaded)]
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


def _as_bytes(images: np.ndarray, what: str) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{what} are {images.dtype}: give uint8 in 0 ... 255, or floats in [0, 1]")

    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 1.0)
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false for NaN too
        raise InputError(
            f"{what} have values from {low:g} to {high:g}: "
            "give floats in [0, 1], or uint8 in 0 ... 255"
        )
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture in grey or RGB."""
    grey = image.mode in GREY

    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"values from {values.min()} to {values.max()}, not of 16 bits")
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floats, which have no known scale")

    if image.mode.lower().endswith("a") or "transparency" in image.info:
        clear = image.convert("RGBA")
        black = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, clear)
    return image.convert("L" if grey else "RGB")
