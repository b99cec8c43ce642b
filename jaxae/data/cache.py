"""Keep decoded arrays in a file, with their digest."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.digests import digest
from jaxae.errors import InputError, Report
from jaxae.temporary import replacing

DIGEST = "sha256"
"""The name in the file of the arrays' own digest."""


def cached(
    path: Path, build: Callable[[], Arrays], *, sha256: str | None = None, report: Report
) -> Arrays:
    """Return what build returns, which is kept in an .npz file and built again if that is damaged.

    sha256: the digest that the arrays must have. Without it the file holds the one that they had
    when it was written. Raises InputError.
    """
    if os.path.exists(path):  # false where the folder may not be looked into
        arrays = _read(path, sha256)
        if arrays is not None:
            return arrays
        report(f"The cache {path} is damaged: building it again.")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = build()
        own = {} if sha256 else {DIGEST: np.array(digest(arrays))}
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, **own)
    except OSError as error:
        place = error.filename or path.parent
        raise InputError(
            f"{place} can't be used ({error.strerror}): give data_dir another folder"
        ) from error
    return arrays


def _read(path: Path, sha256: str | None) -> Arrays | None:
    """Return the arrays in the file, None unless they have their digest."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        own = str(arrays.pop(DIGEST, ""))
        found = digest(arrays)
    except Exception:  # zipfile, zlib and NumPy raise many types for a damaged file
        return None

    return arrays if found == (sha256 or own) else None
