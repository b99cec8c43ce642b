"""Unfinished files and folders, under names that only this program gives.

What a killed process leaves is deleted by the next write to the same folder. Its name says that it
is ours; everything with another name is the user's and is never touched.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".jaxae-unfinished"
NAME = re.compile(rf"{re.escape(PREFIX)}-([0-9a-f]{{8}})-([0-9]{{1,9}})-[0-9a-f]{{8}}(\..*)?")
"""PREFIX-MACHINE-PROCESS-RANDOM; Orbax appends a suffix while it writes."""
OLD_AFTER = 24 * 3600.0
"""Seconds after which a leftover is deleted even if its process can't be asked for."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path in the same folder; what is written there replaces `path` at the end.

    If the block fails, what it wrote is deleted and `path` stays as it was. A folder can't replace
    a folder that holds something. Raises OSError.
    """
    clear_leftovers(path.parent)
    unfinished = _own_name(path.parent)
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:  # also when it is interrupted
        for left in path.parent.glob(f"{unfinished.name}*"):
            _delete(left)
        raise


def discard(path: Path) -> None:
    """Delete a file or folder: it is gone at once, or there as a whole. Raises OSError."""
    doomed = path.rename(_own_name(path.parent))
    _delete(doomed)


def clear_leftovers(folder: Path) -> None:
    """Delete what killed processes have left in a folder; other files and folders are untouched."""
    for path in folder.glob(f"{PREFIX}-*"):
        name = NAME.fullmatch(path.name)
        if name is not None and _is_abandoned(path, machine=name[1], process=int(name[2])):
            _delete(path)


def _own_name(folder: Path) -> Path:
    return folder / f"{PREFIX}-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_abandoned(path: Path, *, machine: str, process: int) -> bool:
    """Whether the process that wrote it has ended, or wrote it long ago."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:  # its owner has just finished with it
        return False

    if age > OLD_AFTER:
        return True
    return machine == _machine() and _has_ended(process)


def _has_ended(process: int) -> bool:
    if os.name != "posix":  # elsewhere a signal of 0 is not a question
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _delete(path: Path) -> None:
    """Delete a file, link or folder, as far as the system lets us."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
