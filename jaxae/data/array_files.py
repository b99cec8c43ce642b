"""Files → uint8 arrays: NumPy's .npz and .npy, IDX, pictures. Nothing is unpickled."""

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from jaxae.data.dataset import Arrays
from jaxae.errors import InputError, Report, brief, silent

PARTS = ("train_", "validation_", "test_", "")
ALIASES = {"x": "images", "y": "labels", "val": "validation"}
"""Keras calls them x_train and y_train, MedMNIST val_images."""
NAMES = {f"{part}{what}" for part in PARTS for what in ("images", "labels")} | {"class_names"}
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B"}
MOST_PIXELS = 50_000_000
Size = tuple[int, int]
"""Height and width."""


def read_arrays(path: Path, *, report: Report = silent) -> Arrays:
    """{train,validation,test}_images and _labels, or images and labels, and class_names, as far as the file has them.

    Images become u8[N, H, W] or u8[N, H, W, C]: floats in [0, 1] are multiplied by 255 and rounded. Raises InputError.
    """
    try:
        report(f"Reading {path}, {path.stat().st_size / 1e6:,.1f} MB")
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                _check_count(file, len(loaded.files))
            found = (
                [("images", loaded)]
                if isinstance(loaded, np.ndarray)
                else [(name, loaded[name]) for name in loaded.files]
            )
        for _, array in found:
            if isinstance(array, np.ndarray) and array.dtype.kind == "U":
                array.tolist()  # NumPy does not look whether they are characters
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror or error}): name another --dataset"
        ) from error
    except (
        Exception
    ) as error:  # whatever NumPy, zipfile and their decoders make of a damaged or hostile file
        advice = "save numbers with numpy.savez; jaxae loads no Python objects"
        raise InputError(
            f"{path} is damaged, or not a file of arrays ({brief(error)}): {advice}"
        ) from error
    arrays: Arrays = {}
    for told, array in found:
        name = _name(told)
        if name not in NAMES or not isinstance(array, np.ndarray):
            raise InputError(
                f"{path} holds {told[:60]}: the names are {', '.join(sorted(NAMES))}, each an array's"
            )
        if name in arrays:
            raise InputError(
                f"{path} holds {name} twice, the second time as {told}: leave one of them out"
            )
        arrays[name] = _bytes(array, f"{path}: {name}") if name.endswith("images") else _flat(array)
    if "class_names" in arrays and (
        arrays["class_names"].ndim != 1 or arrays["class_names"].dtype.kind not in "iuU"
    ):
        raise InputError(
            f"{path} holds class_names that are no list of texts: give one for each class, in their order"
        )
    return arrays


def _check_count(file: BinaryIO, found: int) -> None:
    """Raises ValueError where a zip's last record counts other than the found files: zipfile does not notice a lost one."""
    file.seek(
        max(0, file.seek(0, os.SEEK_END) - 22 - 0xFFFF)
    )  # the record has 22 bytes, and a comment may follow it
    tail = file.read()
    counted = int.from_bytes(tail[tail.rfind(b"PK\5\6") :][10:12], "little")
    if counted not in (found, 0xFFFF):  # 0xFFFF: the count is elsewhere
        raise ValueError(f"{found} arrays are listed in it, and {counted} were saved")


def _name(name: str) -> str:
    words = [ALIASES.get(word, word) for word in name.split("_")]
    return (
        "_".join(sorted(words, key=("images", "labels").__contains__))
        if len(words) == 2 and name not in NAMES
        else name
    )


def _flat(labels: np.ndarray) -> np.ndarray:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _bytes(images: np.ndarray, what: str) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{what} are {images.dtype}: give uint8 in 0 ... 255, or floats in [0, 1]")
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 1.0)
    if not (low >= 0 and high <= 1):  # false for NaN too
        raise InputError(
            f"{what} have values from {low:g} to {high:g}: give floats in [0, 1], or uint8 in 0 ... 255"
        )
    return np.rint(images * 255).astype(np.uint8)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: two zeros, 8 (unsigned byte), the rank, the shape as big-endian u32, the data (LeCun).

    Raises InputError where it is none.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
        rank = raw[3]
        if raw[:3] != b"\0\0\x08":
            raise ValueError(f"begins with {raw[:3].hex()}, not with 000008")
        shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, IndexError) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete that file and get it again"
        ) from error


def read_picture(path: Path, *, size: Size | None = None) -> np.ndarray | str:
    """A picture as Pillow reads it, u8[H, W] or u8[H, W, 3], or what is wrong with it. size: height, width to bring it to.

    EXIF says how to turn it; grey modes stay grey, all others become RGB; 16 bits are divided by 257; what is transparent is
    laid on black; light stays light. Of a moving picture the first frame is taken.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return f"{opened.height}×{opened.width} pixels, more than {MOST_PIXELS:,}"
            image = _plain(ImageOps.exif_transpose(opened))
            return np.asarray(
                image.resize((size[1], size[0]), Image.Resampling.BILINEAR) if size else image
            )
    except Exception as error:  # whatever Pillow's decoders make of a damaged or hostile file
        return brief(error)


def _plain(image: Image.Image) -> Image.Image:
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
        image = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
    return image.convert("L" if grey else "RGB")
