"""Small files, written whole or not at all."""

import contextlib
import errno
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxae.errors import InputError, dead_link

if TYPE_CHECKING:
    from matplotlib.figure import (
        Figure,
    )  # the commands that draw nothing start 0.3 s sooner without

DOTS_AN_INCH = 200


def write_text(path: Path, text: str) -> None:
    """Writes a small file whole or not at all. Raises InputError where it can't be written."""
    with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(text, encoding="utf-8")
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


def write_result(path: Path, result: dict[str, Any]) -> str:
    """write_json, but a file with the same result stays as it is. Returns a line that says which.

    The same: all but the versions is equal, numbers to a tenth of a per cent, which is more than machines differ by.
    """
    if _same({**result, "versions": None}, {**read_json(path), "versions": None}):
        return _STAYS.format(path)
    write_json(path, result)
    return f"Wrote {path}"


def save_figure(run_dir: Path, name: str, figure: "Figure") -> str:
    """Writes RUN/figures/NAME.png whole or not at all, unless the same picture is there. Returns a line that says which.

    The same: the same words, which the file holds as its description, and no more than a pixel in a hundred that is another,
    as rounding in another machine's numbers may make it.
    """
    from matplotlib.text import Text

    path = run_dir / "figures" / f"{name}.png"
    with file_errors(path):
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        words = " | ".join(filter(None, (text.get_text() for text in figure.findobj(match=Text))))
        figure.savefig(
            temporary,
            dpi=DOTS_AN_INCH,
            format="png",
            metadata={"Software": None, "Description": words},
        )
        if _same_picture(temporary, path):
            temporary.unlink()
            return _STAYS.format(path)
        os.replace(temporary, path)
    return f"Wrote {path}"


_STAYS = "{} holds the same already, up to rounding: left as it is"


def _same(new: Any, old: Any) -> bool:
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(
            _same(value, old[name]) for name, value in new.items()
        )
    if isinstance(new, list | tuple) and isinstance(old, list):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(new, float) and isinstance(old, float):
        return math.isclose(new, old, rel_tol=1e-3, abs_tol=1e-9)
    return type(new) is type(old) and new == old


def _same_picture(new: Path, old: Path) -> bool:
    from PIL import Image, ImageChops  # comes with matplotlib

    try:
        with Image.open(new) as drawn, Image.open(old) as there:
            if (drawn.size, drawn.mode, drawn.info) != (there.size, there.mode, there.info):
                return False
            differences = np.asarray(ImageChops.difference(drawn, there)).max(axis=-1)
            return bool((differences > 8).mean() < 0.01)
    except (OSError, SyntaxError, ValueError):  # nothing there, or no whole picture
        return False


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusal of a path into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} can't be used ({error.strerror or error}): {_advice(path, error)}"
        ) from error


def _advice(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room, or name another directory"
    link = dead_link(path)
    return f"{link or 'get permission'}, or name another directory"
