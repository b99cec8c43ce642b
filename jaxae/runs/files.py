"""Small files, written whole or not at all."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxae.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # the commands that draw nothing start 0.3 s sooner without

DOTS_AN_INCH = 200


def write_text(path: Path, text: str) -> None:
    """Writes a small file whole or not at all. Raises InputError where it can't be written."""
    with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(text)
        os.replace(temporary, path)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON whole or not at all; numbers keep full precision."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def save_figure(run_dir: Path, name: str, figure: "Figure") -> Path:
    """Writes RUN/figures/NAME.png whole or not at all, the same bytes for the same figure. Returns the path."""
    path = run_dir / "figures" / f"{name}.png"
    with file_errors(path):
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        figure.savefig(temporary, dpi=DOTS_AN_INCH, format="png", metadata={"Software": None})
        os.replace(temporary, path)
    return path


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusal of a path into an InputError."""
    try:
        yield
    except OSError as error:
        advice = "make room or get permission, or name another directory"
        raise InputError(f"{path} can't be used ({error.strerror or error}): {advice}") from error
