"""Small files, written whole or not at all."""

import contextlib
import errno
import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxae.errors import InputError, dead_link
from jaxae.temporary import replacing

if TYPE_CHECKING:  # commands that draw nothing start 0.3 s sooner without it
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
NO_GLYPH = r"Glyph .* missing from font"
"""The beginning of matplotlib's warning of a character that is drawn as a box."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_text(path: Path, text: str) -> None:
    """Write a small file. Raises InputError if the system refuses."""
    with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON; numbers keep full precision. Raises InputError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_result(path: Path, result: dict[str, Any]) -> str:
    """Write indented JSON, and return a line that says so. Raises InputError."""
    write_json(path, result)
    return f"Wrote {path}"


def save_figure(run_dir: Path, name: str, figure: "Figure") -> str:
    """Write RUN/figures/NAME.png, and return a line that says so. Raises InputError."""
    path = run_dir / "figures" / f"{name}.png"
    with file_errors(path), warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", message=NO_GLYPH)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as unfinished:
            # Without the name of the software: the same figure gives the same bytes.
            figure.savefig(unfinished, dpi=DOTS_PER_INCH, format="png", metadata={"Software": None})

    if any(re.match(NO_GLYPH, str(warning.message)) for warning in told):
        return f"Wrote {path}, with boxes for characters that no font here has"
    return f"Wrote {path}"


def check_writable(folder: Path) -> None:
    """Raise InputError if no file can be made in a folder, which need not exist yet.

    For what is computed first and written at the end.
    """
    while not folder.exists():
        folder = folder.parent

    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK, effective_ids=effective):
        raise InputError(
            f"{folder} can't be written to, and the results go there: "
            "get permission, or name a copy of the run"
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, which is empty if the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusal of a path into an InputError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be used ({reason}): {_advice(path, error)}") from error


def _advice(path: Path, error: OSError) -> str:
    if error.errno in NO_ROOM:
        return "make room, or name another directory"
    return f"{dead_link(path) or 'get permission'}, or name another directory"
