"""metrics.jsonl: one row for each epoch; and TensorBoard's events, made from it anew at every start: no row is there twice."""

import contextlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxae.errors import InputError, Report
from jaxae.runs.files import file_errors, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "tensorboard"
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
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**53)  # no float holds each greater one


def rewind(run_dir: Path, epoch: int) -> list[str]:
    """Cuts metrics.jsonl back to the epoch that training resumes from. Returns a line about rows that are lost, if any."""
    rows = read(run_dir, up_to_epoch=epoch)
    write(run_dir, rows)
    lost = epoch - len(rows)
    return [f"{run_dir / 'metrics.jsonl'} has lost {lost} of {epoch} rows; training is not touched by it"] if lost else []


def write(run_dir: Path, rows: Iterable[dict[str, Any]]) -> None:
    """metrics.jsonl with these rows alone."""
    write_text(run_dir / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def append(run_dir: Path, row: dict[str, Any]) -> None:
    """Adds an epoch's row to metrics.jsonl."""
    path = run_dir / "metrics.jsonl"
    with file_errors(path), path.open("a") as file:
        file.write(json.dumps(row) + "\n")


class Events:
    """RUN/tensorboard, which begins anew with the first update. Raises InputError where tensorboardX is not installed."""

    def __init__(self, run_dir: Path) -> None:
        try:
            import tensorboardX
        except ImportError:
            raise InputError("--tensorboard needs tensorboardX, which is not installed: pip install tensorboardX") from None
        self.run_dir, self.new_writer, self.writer, self.rows = run_dir, tensorboardX.SummaryWriter, None, 0

    def update(self) -> None:
        """Adds the rows of metrics.jsonl that are new since the last time."""
        rows = [row for row in read(self.run_dir) if row.keys() >= SCALARS.keys()]
        with file_errors(self.run_dir / FOLDER):
            for row in rows[self.rows :]:
                for name, tag in SCALARS.items():
                    self._open().add_scalar(tag, row[name], row["epoch"])
        self.rows = len(rows)

    def ahead_of(self, report: Report) -> Report:
        """The report, which updates the events before it tells of an epoch."""

        def updating(line: str) -> None:
            if line.startswith("epoch "):
                self.update()
            report(line)

        return updating

    def add_figure(self, name: str, figure: "Figure") -> None:
        """A picture, at the last row's epoch."""
        self.update()
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        with file_errors(self.run_dir / FOLDER):
            self._open().add_image(f"figures/{name}", pixels, self.rows, dataformats="HWC")

    def close(self) -> None:
        """Waits until all is written."""
        self._open().close()

    def _open(self) -> Any:
        if self.writer is None:
            shutil.rmtree(self.run_dir / FOLDER, ignore_errors=True)
            self.writer = self.new_writer(str(self.run_dir / FOLDER), flush_secs=2)
        return self.writer
