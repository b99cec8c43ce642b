"""What jaxae train says at its end."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from jaxae.cli.options import DataPlace
from jaxae.config import Config
from jaxae.data.dataset import Dataset, check_data, sample
from jaxae.errors import InputError, silent
from jaxae.evaluation.explained import explained_lines, mean_image_mse
from jaxae.evaluation.latent_scorecard import RELEASED_LOSS
from jaxae.evaluation.maps import displacement
from jaxae.inference import Run, encode, load
from jaxae.runs import metrics_log
from jaxae.train.resume import begun

POINTS = 1000
"""Most images for which the end of a training asks how far they have moved."""


def explained(directory: Path, best_epoch: int, config: Config, dataset: Dataset) -> list[str]:
    """Return what the best epoch's reconstructions of noisy validation images explain."""
    errors = {row["epoch"]: row.get("validation_mse") for row in metrics_log.read(directory)}
    mse = errors.get(best_epoch)
    if mse is None:
        return []

    return explained_lines(
        mse=mse,
        mean_image=mean_image_mse(dataset.validation.images, dataset.train.images),
        latent_dim=config.latent_dim,
        images="validation images",
    )


def moved(origin: Path, directory: Path, dataset: Dataset, place: DataPlace) -> list[str]:
    """Return how far a run on other data has moved the points of the run that it began from.

    They are images that the origin was trained on; validation images of dataset, the new data,
    if those can't be found. With the same data nothing is said.
    """
    start = begun(directory)
    if start is None:
        return []

    try:
        old = load(origin, epoch=start.epoch)
    except InputError as error:  # it has gone on since, and keeps its best and latest epochs
        return [f"How far the map has moved is not known: {error}"]
    if old.data_sha256 == dataset.digest:
        return []

    new = load(directory)
    trained_on = _data_of(old, place)
    if trained_on is None:
        images, what = dataset.validation.images, f"validation images of {dataset.title}"
    else:
        images, what = trained_on.train.images, f"images that {origin} was trained on"

    points = images[sample(len(images), POINTS)]
    distance, aligned = displacement(encode(old, points), encode(new, points))
    line = (
        f"Half of {len(points):,} {what} are more than {distance:.0%} of the map's spread from "
        f"where {origin} has them"
    )
    if aligned < distance:  # it may not be: the alignment is that of least squares
        line += f", and {aligned:.0%} once the map is shifted, turned, mirrored and scaled onto it"
    return [line]


def _data_of(run: Run, place: DataPlace) -> Dataset | None:
    """Return the data that a run was trained on, None if they can't be found or have changed."""
    try:
        dataset = place.dataset(run.config, report=silent)
        check_data(run.config, dataset, trained_on=run.data_sha256)
    except InputError:
        return None
    return dataset


def next_steps(
    directory: Path, dataset: Dataset, configs: Sequence[Config], *, options: str = ""
) -> list[str]:
    """Return what to compare a finished run with, and what to do with it."""
    lines = []
    released = RELEASED_LOSS.get(dataset.name)
    if released:
        lines.append(f"The released run has the validation loss {released:.5f}.")

    commands = ["evaluate", "plot seed-agreement", "score"]
    if len(configs) == 1:
        commands = ["evaluate", "plot all", "score", "map"]
        if configs[0].latent_dim == 2:
            commands.append("explore")
    lines.append("Next:")
    for command in commands:
        lines.append(f"  jaxae {command} {shlex.quote(str(directory))}{options}")
    return lines
