"""Keep decoded arrays in a file, with their digest."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.digests import digest
from jaxae.errors import InputError, Report
from jaxae.temporary import replacing

DIGEST = "sha256"
SOURCE = "source"
"""Names in the file of the arrays' own digest, and of what the arrays were decoded from."""


def cached(
    path: Path,
    build: Callable[[], Arrays],
    *,
    sha256: str | None = None,
    source: str = "",
    report: Report,
) -> Arrays:
    """Return what build returns, which is kept in an .npz file and built again if that is damaged.

    sha256: the digest that the arrays must have. Without it the file holds the one that they had
    when it was written.
    source: the state of the files that build reads; a file that was made from another is replaced.
    Raises InputError.
    """
    if os.path.exists(path):  # false where the folder may not be looked into
        kept = _read(path)
        if kept is None or (kept.source == source and kept.digest != (sha256 or kept.told)):
            report(f"The cache {path} is damaged: building it again.")
        elif kept.source == source:
            if source:
                report(f"They were decoded before: taking {path}")
            return kept.arrays

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = build()
        own = {} if sha256 else {DIGEST: np.array(digest(arrays)), SOURCE: np.array(source)}
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, **own)
    except OSError as error:
        place = error.filename or path.parent
        raise InputError(
            f"{place} can't be used ({error.strerror}): give data_dir another folder"
        ) from error
    return arrays


class _Kept(NamedTuple):
    """The contents of a cache."""

    arrays: Arrays
    digest: str
    """The digest that the arrays have."""
    told: str
    """The digest that they had when they were written; empty in a cache without it."""
    source: str


def _read(path: Path) -> _Kept | None:
    """Return what the file holds, None if it can't be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        told = str(arrays.pop(DIGEST, ""))
        source = str(arrays.pop(SOURCE, ""))
        return _Kept(arrays, digest(arrays), told, source)
    except Exception:  # zipfile, zlib and NumPy raise many types for a damaged file
        return None
