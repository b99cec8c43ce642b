"""Write TensorBoard's events of a run, from metrics.jsonl."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxae.errors import InputError
from jaxae.runs.files import file_errors
from jaxae.runs.metrics_log import SCALARS, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FOLDER = "tensorboard"


class Events:
    """The events in RUN/tensorboard, which the first update writes from the start.

    Raises InputError if tensorboardX is not installed.
    """

    def __init__(self, run_dir: Path) -> None:
        try:
            import tensorboardX
        except ImportError:
            raise InputError(
                "tensorboard needs tensorboardX, which is not installed: pip install tensorboardX"
            ) from None
        self.run_dir = run_dir
        self.new_writer = tensorboardX.SummaryWriter
        self.writer = None
        self.rows = 0

    def update(self) -> None:
        """Add the rows of metrics.jsonl that are new since the last time."""
        rows = [row for row in read(self.run_dir) if row.keys() >= SCALARS.keys()]
        with file_errors(self.run_dir / FOLDER):
            for row in rows[self.rows :]:
                for name, tag in SCALARS.items():
                    self._open().add_scalar(tag, row[name], row["epoch"])
        self.rows = len(rows)

    def add_figure(self, name: str, figure: "Figure") -> None:
        """Add a picture, at the last row's epoch."""
        self.update()
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        with file_errors(self.run_dir / FOLDER):
            self._open().add_image(f"figures/{name}", pixels, self.rows, dataformats="HWC")

    def close(self) -> None:
        """Wait until all is written."""
        self._open().close()

    def _open(self) -> Any:
        if self.writer is None:
            shutil.rmtree(self.run_dir / FOLDER, ignore_errors=True)
            self.writer = self.new_writer(str(self.run_dir / FOLDER), flush_secs=2)
        return self.writer
