"""jaxae encode: writes the latents of any pictures."""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxae.cli.messages import say
from jaxae.cli.options import Place, optional
from jaxae.core.images import to_unit
from jaxae.core.objective import mse
from jaxae.data.dataset import Split
from jaxae.inference import Run, decode, encode, load
from jaxae.report.new_pictures import read_pictures


@dataclass(frozen=True, kw_only=True)
class NewPictures(Place):
    """A run, and pictures of any size that need not be those it was trained on."""

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """A folder, picture files, or an .npz or .npy file."""

    epoch: Annotated[
        int | None,
        optional("INT", "Take this epoch's checkpoint; by default the best one."),
    ] = None

    def read(self) -> tuple[Run, Split]:
        """Return the run, and the pictures as it takes them. Raises InputError."""
        run = load(self.directory, epoch=self.epoch)
        return run, read_pictures(run, *self.pictures, report=say)


def main(new: NewPictures) -> None:
    """Writes the latents of pictures as CSV to stdout: file, error, latent_1, latent_2.

    error is the mean squared error of the reconstruction. The pictures are read as in training:
    scaled to cover the run's size and cut at the edges.

    Example: jaxae encode checkpoints/pictures ~/new > new.csv
    """
    run, pictures = new.read()
    assert pictures.files is not None
    latents = encode(run, pictures.images)
    errors = np.asarray(mse(decode(run, latents), to_unit(pictures.images)))

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["file", "error", *(f"latent_{k}" for k in range(1, latents.shape[1] + 1))])
    for file, error, latent in zip(pictures.files, errors, latents, strict=True):
        table.writerow([file, *(f"{number:.6g}" for number in (error, *latent))])
