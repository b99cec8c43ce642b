"""Decoded arrays with their digest, in one file that can always be built again."""

import os
import tempfile
from pathlib import Path

import numpy as np

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
                if str(stored["digest"]) == digest(arrays):
                    return arrays
        except Exception:  # whatever a damaged file makes zipfile, zlib and NumPy raise: the cache can always be rebuilt
            pass
        report(f"The cache {path} is damaged: building it again.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = fetch(data_dir / "downloads", manual_dir, report)
        with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
            np.savez(Path(unfinished) / path.name, allow_pickle=False, digest=np.array(digest(arrays)), **arrays)
            os.replace(Path(unfinished) / path.name, path)
    except OSError as error:
        raise InputError(f"{data_dir} can't be written ({error.strerror}): name another folder with --data-dir") from error
    return arrays
