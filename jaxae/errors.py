"""Errors that a user can mend, and the type of a function that takes progress lines."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

Report = Callable[[str], None]
"""Takes a line to show to the user."""


def silent(line: str) -> None:
    """A Report that says nothing."""


class InputError(Exception):
    """What a user gave cannot be used. The message is one line: what was wrong, the value, what to do."""


class DataUnavailableError(InputError):
    """A data set is neither on this machine nor within reach of the network."""


class DamagedError(InputError):
    """A checkpoint is not what was saved."""


def brief(error: Exception) -> str:
    """What another library says, on one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def refusal(error: OSError) -> str:
    """What the system has refused, on one line."""
    return f"{error.filename or 'the system'}: {error.strerror or error}"


def expand(path: str | Path) -> Path:
    """The path with ~ as the user's home. Raises InputError where there is no such home, or a link on the way to nothing."""
    try:
        expanded = Path(os.path.expanduser(path))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.lstat(expanded)
    except (
        OSError,
        ValueError,
    ) as error:  # a path that is too long, or has a character that none has
        raise InputError(
            f"{str(path)!r:.80} is no path ({getattr(error, 'strerror', error)}): name another"
        ) from error
    if expanded.parts[:1] and expanded.parts[0].startswith("~"):
        raise InputError(
            f"{path} begins with ~, and no such home is known here: set HOME, or name the folder in full"
        )
    if link := dead_link(expanded):
        raise InputError(f"{path} can't be used: {link}, or name another place")
    return expanded


def dead_link(path: Path) -> str | None:
    """What to do about a link that leads to nothing, where the path is one or lies below one."""
    for place in (path, *path.parents):
        if os.path.islink(place) and not os.path.exists(place):
            return f"{place} is a link to {os.readlink(place)}, which does not exist; make that"
    return None
