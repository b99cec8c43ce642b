"""Images that are too many to copy: they stay where they are, in memory or in a file."""

import mmap
import os
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

LARGE = 2**28
"""Bytes of images from which on nothing takes a copy of all."""
BLOCK = 2**24
"""Bytes of the blocks in which images are gone through. Of floats they take four times as much, and
in a model up to twelve times."""


class Subset(np.lib.mixins.NDArrayOperatorsMixin):
    """Some rows of an array, which are read when they are asked for.

    It is indexed by rows. For anything else it is what NumPy makes of all of them.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        """Take rows of the array. rows: their indices, int[N]."""
        self.array = array
        self.rows = rows
        self.dtype = array.dtype
        self.shape = (len(rows), *array.shape[1:])
        self.ndim = array.ndim
        self.nbytes = len(rows) * array[:1].nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        return rows_of(self.array, self.rows[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [np.asarray(each) if isinstance(each, Subset) else each for each in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def take(images: np.ndarray, chosen: np.ndarray | slice) -> np.ndarray:
    """Return some of the images, by their indices, a mask or a slice.

    A slice of an array is a view. Others are a copy or, where that would be large, a Subset.
    """
    if isinstance(chosen, slice) and isinstance(images, np.ndarray):
        return images[chosen]

    rows = np.arange(len(images))[chosen]
    wanted = Subset(images, rows)
    if isinstance(images, Subset):
        wanted = Subset(images.array, images.rows[rows])
    return cast(np.ndarray, wanted) if wanted.nbytes >= LARGE else wanted[:]


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the images of all parts. Subsets of one array are one Subset."""
    arrays = [part.array if isinstance(part, Subset) else part for part in parts]
    if all(each is arrays[0] for each in arrays) and isinstance(parts[0], Subset):
        rows = np.concatenate([part.rows for part in parts if isinstance(part, Subset)])
        return take(arrays[0], rows)
    return np.concatenate(parts)


def in_blocks(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images in their order, u8[B, H, W, C] with at most BLOCK bytes or one image."""
    count = max(1, BLOCK // max(1, images[:1].nbytes))
    for start in range(0, len(images), count):
        yield images[start : start + count]


def rows_of(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return images[rows]. rows: indices of any shape.

    The system is asked for all of them in a memory-mapped file at once. To wait for one after
    another takes ten times as long.
    """
    mapped = _map_of(images)
    if mapped is not None and hasattr(mapped, "madvise"):
        start = np.frombuffer(mapped, np.uint8).ctypes.data
        begin = images.__array_interface__["data"][0] - start
        size = images.strides[0]
        for row in np.ravel(rows).tolist():
            first = begin + row * size
            page = first - first % mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, page, first + size - page)
    return images[rows]


def read_npy(path: Path) -> np.ndarray:
    """Return the array in an .npy file, memory-mapped if it is large. No pickles."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    size = path.stat().st_size
    if array.offset + array.nbytes < size:
        raise ValueError("more follows the first array")
    return array if size >= LARGE else np.array(array)


def read_npz(path: Path, *, verify: bool = True) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file; large ones that are not compressed are memory-mapped.

    verify: compare also these with their checksums, for which they are read once. No pickles.
    """
    arrays = {}
    with np.load(path, allow_pickle=False) as stored:
        for name, member in zip(stored.files, stored.zip.infolist(), strict=True):
            is_mapped = member.file_size >= LARGE and member.compress_type == zipfile.ZIP_STORED
            try:
                arrays[name] = _map_member(path, member) if is_mapped else stored[name]
            except MemoryError:
                if stored.zip.testzip():
                    raise ValueError(f"{name} has another checksum") from None
                raise
            if is_mapped and verify:
                with stored.zip.open(member) as stream:
                    while stream.read(BLOCK):
                        pass
    return arrays


def _map_member(path: Path, member: zipfile.ZipInfo) -> np.ndarray:
    """Return an array that lies in a zip file as NumPy would write it alone."""
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)
        of_name, of_extra = struct.unpack("<HH", file.read(4))
        file.seek(of_name + of_extra, os.SEEK_CUR)

        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"an array has the format {version}, not 1.0")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        order: Literal["F", "C"] = "F" if is_fortran else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _map_of(array: Any) -> mmap.mmap | None:
    """Return the memory-mapped file that holds an array, None if it is in memory."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array
