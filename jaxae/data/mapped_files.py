"""Files of arrays: NumPy's, of which large ones are memory-mapped, and temporary ones.

No pickles are read.
"""

import functools
import os
import struct
import tempfile
import weakref
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxae.data import large
from jaxae.data.large import Subset, in_blocks


class Spool(Sequence[np.ndarray]):
    """Arrays in a temporary file, one after another: first they are written, then read."""

    def __init__(self, folder: Path) -> None:
        """Make the file in a folder. The system deletes it when it is needed no more."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._kinds: list[tuple[np.dtype, tuple[int, ...]]] = []
        self._ends = [0]

    def append(self, array: np.ndarray) -> None:
        """Write an array at the end."""
        self._file.write(array.tobytes())
        self._kinds.append((array.dtype, array.shape))
        self._ends.append(self._ends[-1] + array.nbytes)

    def __len__(self) -> int:
        return len(self._kinds)

    def __getitem__(self, number: Any) -> Any:
        dtype, shape = self._kinds[number]
        return self._bytes[self._ends[number] : self._ends[number + 1]].view(dtype).reshape(shape)

    @property
    def kinds(self) -> set[tuple[np.dtype, tuple[int, ...]]]:
        """Types and shapes of the arrays."""
        return set(self._kinds)

    def stacked(self) -> np.ndarray:
        """Return arrays of one kind as one."""
        ((dtype, shape),) = self.kinds
        return self._bytes.view(dtype).reshape(len(self), *shape)

    @functools.cached_property
    def _bytes(self) -> np.ndarray:
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r")


def read_npy(path: Path) -> np.ndarray:
    """Return the array in an .npy file, memory-mapped if it is large."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    size = path.stat().st_size
    if array.offset + array.nbytes < size:
        raise ValueError("more follows the first array")
    return array if size >= large.LARGE else np.array(array)


def read_npz(path: Path, *, verify: bool = True) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file; large ones that are not compressed are memory-mapped.

    verify: compare also these with their checksums, for which they are read once.
    """
    arrays = {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        for name, member in zip(stored.files, stored.zip.infolist(), strict=True):
            is_mapped = (
                member.file_size >= large.LARGE and member.compress_type == zipfile.ZIP_STORED
            )
            try:
                arrays[name] = _map_member(path, member) if is_mapped else stored[name]
            except MemoryError:
                if stored.zip.testzip():
                    raise ValueError(f"{name} has another checksum") from None
                raise
            if is_mapped and verify:
                with stored.zip.open(member) as stream:
                    while stream.read(large.BLOCK):
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


def write_npz(
    path: Path, arrays: Mapping[str, np.ndarray], *, mode: Literal["w", "a"] = "w"
) -> None:
    """Write arrays as numpy.savez does, a Subset block by block. mode: a adds them to a file."""
    with zipfile.ZipFile(path, mode) as stored:
        for name, array in arrays.items():
            with stored.open(f"{name}.npy", "w", force_zip64=True) as member:
                if not isinstance(array, Subset):
                    np.lib.format.write_array(member, array, allow_pickle=False)
                    continue
                header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(member, header)
                for block in in_blocks(array):
                    member.write(block.tobytes())
