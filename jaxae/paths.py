"""Paths as people write them."""

import os
from pathlib import Path

from jaxae.errors import InputError


def expand(path: str | Path) -> Path:
    """The path with ~ as the user's home. Raises InputError where the system knows no such home."""
    expanded = Path(os.path.expanduser(path))
    if expanded.parts[:1] and expanded.parts[0].startswith("~"):
        raise InputError(f"{path} begins with ~, and no such home is known here: set HOME, or name the folder in full")
    return expanded
