"""metrics.jsonl: one row for each epoch; and TensorBoard's events, made from it anew at every start: no row is there twice."""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxae.runs.files import file_errors, write_text

if TYPE_CHECKING:
    pass

SCALARS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "validation_mse": "validation/mse",
    "validation_mae": "validation/mae",
    "learning_rate": "learning_rate",
}


def read(run_dir: Path, *, up_to_epoch: int | None = None) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl that are whole, epochs ascending, none twice."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    rows: dict[int, dict[str, Any]] = {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            row = json.loads(line)
            if type(row["epoch"]) is not int or not 1 <= row["epoch"] < 2**31:
                continue
            if not all(_is_number(row[name]) for name in SCALARS if name in row):
                continue
            if up_to_epoch is None or row["epoch"] <= up_to_epoch:
                rows.setdefault(row["epoch"], row)
    return [rows[epoch] for epoch in sorted(rows)]


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (
        type(value) is int and abs(value) < 2**53
    )  # no float holds each greater one


def rewind(run_dir: Path, epoch: int) -> list[str]:
    """Cuts metrics.jsonl back to the epoch that training resumes from. Returns a line about rows that are lost, if any."""
    rows = read(run_dir, up_to_epoch=epoch)
    write(run_dir, rows)
    lost = epoch - len(rows)
    return (
        [
            f"{run_dir / 'metrics.jsonl'} has lost {lost} of {epoch} rows; training is not touched by it"
        ]
        if lost
        else []
    )


def write(run_dir: Path, rows: Iterable[dict[str, Any]]) -> None:
    """metrics.jsonl with these rows alone."""
    write_text(run_dir / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def append(run_dir: Path, row: dict[str, Any]) -> None:
    """Adds an epoch's row to metrics.jsonl."""
    path = run_dir / "metrics.jsonl"
    with file_errors(path), path.open("a") as file:
        file.write(json.dumps(row) + "\n")
