"""Errors that a user can mend, and the paths that users give."""

import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Report = Callable[[Any], None]
"""A function that shows what it is told: a line, or a record whose str() is one."""

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""The beginning of a URL, of which pathlib keeps one slash. A drive has a single letter."""

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, ends of lines, and half characters, as which Python reads bytes of names."""


def silent(told: Any) -> None:
    """Show nothing: a Report for those who want none."""


def show(told: Any) -> None:
    """Print what is told; names that stdout can't show are escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(str(told).encode(encoding, "backslashreplace").decode(encoding))


class InputError(Exception):
    """What a user gave cannot be used.

    The message is one line: what is wrong, the value that was got, what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(readable(message))  # names of files may hold line breaks


class Diverged(Exception):
    """The loss of every model is no longer a finite number. It is not a user's mistake.

    The message is one line: step and epoch, the last good one, what to do.
    """


class DataUnavailableError(InputError):
    """A data set is neither on this machine nor within reach of the network."""


class DamagedError(InputError):
    """A checkpoint is not what was saved."""


def brief(error: Exception) -> str:
    """Return another library's error as one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def readable(text: str) -> str:
    r"""Return text that can be printed and drawn on one line.

    Control characters become \n and the like, bytes of file names that are not UTF-8 become \xe9.
    """
    return UNPRINTABLE.sub(_escaped, text)


def legible(report: Report) -> Report:
    """Return a report whose lines are readable: print would raise for names that are not UTF-8."""
    return lambda told: report(readable(told) if isinstance(told, str) else told)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogate of a byte
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()


def refusal(error: OSError) -> str:
    """Return what the system has refused as one line."""
    return f"{error.filename or 'the system'}: {error.strerror or error}"


def expand(path: str | Path) -> Path:
    """Return the path with ~ as the user's home; what it leads to need not exist.

    Raises InputError for a URL, an unknown home, and a link to nothing on the way.
    """
    if URL.match(str(path)):
        raise InputError(f"{path} is a URL: name a file or folder of this machine")

    if not str(path):
        raise InputError("The name of a file or folder is empty: name one, or . for this folder")

    try:
        expanded = Path(os.path.expanduser(path))
        _look_up(expanded)
    except (OSError, ValueError, TypeError) as error:  # too long, a loop of links, no text
        reason = getattr(error, "strerror", error)
        raise InputError(f"{str(path)!r:.80} is no path ({reason}): name another") from error

    if str(expanded).startswith("~"):
        raise InputError(
            f"{path} begins with ~, but no such home is known: set HOME, or name the folder in full"
        )

    link = dead_link(expanded)
    if link is not None:
        raise InputError(f"{path} can't be used: {link}, or name another place")

    return expanded


def dead_link(path: Path) -> str | None:
    """Return what to do about a link to nothing that the path is, or passes; None without one."""
    for place in (path, *path.parents):
        if os.path.islink(place) and not os.path.exists(place):
            return f"{place} is a link to {os.readlink(place)}, which does not exist; make that"
    return None


def _look_up(path: Path) -> None:
    """Ask the system for a path, which need not exist. Raises OSError, ValueError if it can't."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        os.lstat(path)
