"""Images that are too many to copy: they stay where they are, in memory or in a file."""

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, cast

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
    mapped = mapped_file(images)
    if mapped is not None and hasattr(mapped, "madvise"):
        start = np.frombuffer(mapped, np.uint8).ctypes.data
        begin = images.__array_interface__["data"][0] - start
        size = images.strides[0]
        for row in np.ravel(rows).tolist():
            first = begin + row * size
            page = first - first % mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, page, first + size - page)
    return images[rows]


def mapped_file(array: Any) -> mmap.mmap | None:
    """Return the memory-mapped file that holds an array, None if it is in memory."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array
