"""Errors that a user can mend, and the type of a function that takes progress lines."""

from collections.abc import Callable

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
