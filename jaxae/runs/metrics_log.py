"""metrics.jsonl: a run's metrics, one row for each epoch."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxae.runs.files import file_errors, write_text

NAME = "metrics.jsonl"
SCALARS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "validation_mse": "validation/mse",
    "validation_mae": "validation/mae",
    "learning_rate": "learning_rate",
}
"""A row's numbers, each with its tag in TensorBoard."""


def read(run_dir: Path, *, up_to_epoch: int | None = None) -> list[dict[str, Any]]:
    """Return the rows that are whole, by ascending epoch; of two with the same epoch the first."""
    path = run_dir / NAME
    lines = path.read_bytes().splitlines() if path.is_file() else []

    rows: dict[int, dict[str, Any]] = {}
    for line in lines:
        row = _parse(line)
        if row is not None and (up_to_epoch is None or row["epoch"] <= up_to_epoch):
            rows.setdefault(row["epoch"], row)

    return [rows[epoch] for epoch in sorted(rows)]


def append(run_dir: Path, row: dict[str, Any]) -> None:
    """Add an epoch's row. Raises InputError."""
    path = run_dir / NAME
    with file_errors(path), path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def write(run_dir: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the file with these rows. Raises InputError."""
    write_text(run_dir / NAME, "".join(json.dumps(row) + "\n" for row in rows))


def rewind(run_dir: Path, epoch: int) -> list[str]:
    """Cut the file back to the epoch that training resumes from.

    Returns a line about rows that are cut, and one about rows that are missing.
    """
    rows = read(run_dir)
    kept = [row for row in rows if row["epoch"] <= epoch]
    write(run_dir, kept)

    lines = []
    if len(kept) < len(rows):
        last = rows[-1]["epoch"]
        lines.append(
            f"The run had come to epoch {last}, which has no whole checkpoint: what came after "
            f"epoch {epoch} is computed again"
        )
    if len(kept) < epoch:
        lost = epoch - len(kept)
        lines.append(
            f"{run_dir / NAME} has lost {lost} of {epoch} rows; the training itself is whole"
        )
    return lines


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's row, None if no run writes such a line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None

    if not isinstance(row, dict):
        return None

    epoch = row.get("epoch")
    if type(epoch) is not int or not 1 <= epoch < 2**31:
        return None

    numbers = [row[name] for name in SCALARS if name in row]
    return row if all(_is_number(number) for number in numbers) else None


def _is_number(value: Any) -> bool:
    """Whether it is a float, or a whole number that a float holds exactly."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**53)
