"""Decoded arrays in one file that can always be built again."""

import contextlib
import os
import time
from pathlib import Path

import numpy as np

from jaxae.data.dataset import FASHION_MNIST_SHA256
from jaxae.data.tfds_files import FILES, fetch
from jaxae.digests import digest
from jaxae.errors import InputError, Report


def cached(data_dir: Path, manual_dir: Path | None, report: Report) -> dict[str, np.ndarray]:
    """Fashion-MNIST's arrays as fetch returns them, kept in data_dir/jaxae/fashion_mnist.npz. Raises InputError."""
    path = data_dir / "jaxae" / "fashion_mnist.npz"
    if os.path.exists(path):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in FILES}
            if digest(arrays) == FASHION_MNIST_SHA256:
                return arrays
        except Exception:  # whatever a damaged file makes zipfile, zlib and NumPy raise: the cache can always be rebuilt
            pass
        report(f"The cache {path} is damaged: building it again.")
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # a name of its own: two processes may build it at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = fetch(data_dir, manual_dir, report)
        if digest(arrays) != FASHION_MNIST_SHA256:
            raise InputError(f"The files in {data_dir / 'downloads'} are not Fashion-MNIST's: delete that folder")
        for leftover in path.parent.glob(f"{path.name}.*.tmp"):
            if time.time() - leftover.stat().st_mtime > 3600:  # of a process that was killed
                leftover.unlink(missing_ok=True)
        with temporary.open("wb") as unfinished:
            np.savez(unfinished, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        place = error.filename or data_dir
        raise InputError(f"{place} can't be used ({error.strerror}): name another folder with --data-dir") from error
    return arrays
