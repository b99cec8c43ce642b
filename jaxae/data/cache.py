"""Keep decoded arrays in a file, with their digest."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.data.mapped_files import read_npz, write_npz
from jaxae.digests import digest
from jaxae.errors import InputError, Report
from jaxae.temporary import replacing

DIGEST = "sha256"
SOURCES = "sources"
CHANGED = "changed"
WAY = "way"
"""Names in the file of the arrays' own digest, of the states of the files that they were decoded
from, of what had changed since the time before, and of how they were decoded. Texts are kept as
JSON in bytes."""

NO_SOURCES: Mapping[str, str] = MappingProxyType({})


def cached(
    path: Path,
    build: Callable[[], Arrays],
    *,
    sha256: str | None = None,
    sources: Mapping[str, str] = NO_SOURCES,
    way: str = "",
    report: Report,
) -> Arrays:
    """Return what build returns, which is kept in an .npz file and built again if that is damaged.

    sha256: the digest that the arrays must have. Without it the file holds the one that they had
    when it was written.
    sources: the states of the files that build reads, by their names. A cache that was made from
    others is replaced, and a line says which have changed, from then on at every call. way: how
    build reads them; a cache that was made in another way is replaced too.
    Raises InputError.
    """
    changed = ""
    if os.path.exists(path):  # false where the folder may not be looked into
        kept = _read(path)
        same = kept is not None and kept.sources == sources and kept.way == way
        if kept is None or (same and kept.digest != (sha256 or kept.told)):
            report(f"The cache {path} is damaged: building it again.")
        elif same:
            if sources:
                report(f"They were decoded before: taking {path}, {_megabytes(path)}")
            if kept.changed:
                report(kept.changed)
            return kept.arrays
        elif kept.sources != sources:
            changed = _differences(kept.sources, sources)
            report(changed)
        else:
            report("They were decoded in another way before: decoding them again")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = build()
        with replacing(path) as unfinished:
            write_npz(unfinished, arrays)
            if not sha256:
                own = {
                    DIGEST: np.array(digest(read_npz(unfinished, verify=False))),
                    SOURCES: _packed(dict(sources)),
                    CHANGED: _packed(changed),
                    WAY: _packed(way),
                }
                write_npz(unfinished, own, mode="a")
    except OSError as error:
        place = error.filename or path.parent
        raise InputError(
            f"{place} can't be used ({error.strerror}): give data_dir another folder"
        ) from error

    if sources:
        report(f"They are kept in {path}, {_megabytes(path)}")
    stored = read_npz(path, verify=False)  # large ones are in the file now, no longer in memory
    return {name: stored[name] for name in arrays}


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"


class _Kept(NamedTuple):
    """The contents of a cache."""

    arrays: Arrays
    digest: str
    """The digest that the arrays have."""
    told: str
    """The digest that they had when they were written; empty in a cache without it."""
    sources: dict[str, str]
    changed: str
    way: str


def _read(path: Path) -> _Kept | None:
    """Return what the file holds, None if it can't be read."""
    try:
        arrays = read_npz(path, verify=False)  # there is the digest
        told = str(arrays.pop(DIGEST, ""))
        sources = dict(_unpacked(arrays.pop(SOURCES, _packed({}))))
        changed = str(_unpacked(arrays.pop(CHANGED, _packed(""))))
        way = str(_unpacked(arrays.pop(WAY, _packed(""))))
        return _Kept(arrays, digest(arrays), told, sources, changed, way)
    except MemoryError:
        raise
    except Exception:  # zipfile, zlib and NumPy raise many types for a damaged file
        return None


def _packed(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _unpacked(array: np.ndarray) -> Any:
    return json.loads(array.tobytes())


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return a line that says which files are new, gone or written again."""
    both = before.keys() & now.keys()
    groups = {
        "new": now.keys() - before.keys(),
        "gone": before.keys() - now.keys(),
        "written again": {name for name in both if before[name] != now[name]},
    }
    parts = [
        f"{len(names):,} {what}, such as {min(names)}" for what, names in groups.items() if names
    ]
    return f"Files have changed since they were decoded before: {'; '.join(parts)}"
