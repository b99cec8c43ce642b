"""Decoded arrays kept in a file, with their digest."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.digests import digest
from jaxae.errors import InputError, Report

DIGEST = "sha256"


def cached(
    path: Path, build: Callable[[], Arrays], *, sha256: str | None = None, report: Report
) -> Arrays:
    """What build returns, kept in an .npz file; a damaged one is built again. Raises InputError.

    sha256: digests.digest that the arrays must have; without it the file holds the one that they had when it was written.
    """
    if os.path.exists(path):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            told = str(arrays.pop(DIGEST, ""))
            if digest(arrays) == (sha256 or told):
                return arrays
        except Exception:  # whatever a damaged file makes zipfile, zlib and NumPy raise: the cache can always be rebuilt
            pass
        report(f"The cache {path} is damaged: building it again.")
    temporary = path.with_name(
        f"{path.name}.{os.getpid()}.tmp"
    )  # a name of its own: two processes may build it at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = build()
        for leftover in path.parent.glob(f"{path.name}.*.tmp"):
            if time.time() - leftover.stat().st_mtime > 3600:  # of a process that was killed
                leftover.unlink(missing_ok=True)
        own = {} if sha256 else {DIGEST: np.array(digest(arrays))}
        with temporary.open("wb") as unfinished:
            np.savez(unfinished, allow_pickle=False, **arrays, **own)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        place = error.filename or path.parent
        raise InputError(
            f"{place} can't be used ({error.strerror}): name another folder with --data-dir"
        ) from error
    return arrays
