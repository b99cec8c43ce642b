"""Draws figures of a run and saves them as RUN/figures/NAME.png.

Example: jaxae plot latent-space checkpoints/released
"""

from collections.abc import Callable

from jaxae.cli.messages import say
from jaxae.cli.options import Source, save
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation import plots
from jaxae.evaluation.denoising_curve import denoising_curve
from jaxae.figures.style import Figure
from jaxae.figures.training_curves import training_curves as curves
from jaxae.inference import Run
from jaxae.runs import files, metrics_log
from jaxae.train.population import labels


def reconstructions(source: Source, *, noise_factor: float = 0.25) -> None:
    """Figure 1: eight test images as clean, noisy and denoised rows.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise.
    """
    _draw(
        source,
        "reconstructions",
        lambda run, dataset: plots.reconstructions(run, dataset, noise_factor=noise_factor),
    )


def error_maps(source: Source, *, noise_factor: float = 0.25) -> None:
    """Figure 2: heat maps of the pixel errors of six test images.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise.
    """
    _draw(
        source,
        "error_maps",
        lambda run, dataset: plots.error_maps(run, dataset, noise_factor=noise_factor),
    )


def noise_robustness(source: Source) -> None:
    """Figure 3: the same images at noise 0.1, 0.25, 0.4 and 0.6."""
    _draw(source, "noise_robustness", plots.noise_robustness)


def latent_space(source: Source) -> None:
    """Figure 4: all test images as points of the latent plane."""
    _draw(source, "latent_space", plots.latent_space)


def latent_grid(source: Source) -> None:
    """What the decoder draws over the latent plane."""
    _draw(source, "latent_grid", plots.latent_grid)


def noise_drift(source: Source) -> None:
    """Where noise pushes the latents, and how many images change their class."""
    _draw(source, "noise_drift", plots.noise_drift)


def noise_curve(source: Source, *, images: int = 1000, draws: int = 5) -> None:
    """Quality at every noise level beside all rivals, and under noise never trained on; some minutes.

    Writes RUN/noise_curve.json too.

    Args:
        source: The run and its data.
        images: How many of the first test images to take.
        draws: Noise draws; curves are their means, bands go from the least to the greatest.
    """

    def draw(run: Run, dataset: Dataset) -> Figure:
        measured = denoising_curve(run, dataset, images=images, draws=draws, report=say)
        save(source.directory / "noise_curve.json", measured)
        return plots.noise_curve(run, dataset, measured=measured)

    _draw(source, "noise_curve", draw)


def seed_agreement(source: Source) -> None:
    """How far the members of a population agree: on the latent map, and pixel by pixel."""
    runs = [source.load(directory) for directory in source.directories]
    dataset = source.dataset(runs[0].config)
    figure = plots.seed_agreement(runs, dataset, members=labels([run.config for run in runs]))
    say(files.save_figure(source.run, "seed_agreement", figure))


def training_curves(source: Source) -> None:
    """Training and validation loss and learning rate by epoch, also while training runs; of a population with all members."""
    needed = {"data", "best", *metrics_log.SCALARS}
    read = (
        [row for row in metrics_log.read(directory) if row.keys() >= needed]
        for directory in source.directories
    )
    rows = [each for each in read if each]
    if not rows:
        raise InputError(
            f"{source.run} has no metrics.jsonl with an epoch in it: name a run that has begun to train"
        )
    figure = curves(rows, title=f"Training on {rows[0][0]['data']}")
    place = source.run if source.member is None else source.directory
    say(files.save_figure(place, "training_curves", figure))


def all_figures(source: Source) -> None:
    """All figures of a single run but the noise curve, which takes minutes; the training curves where it has metrics.jsonl."""
    run = source.load(source.directory)
    dataset = source.dataset(run.config)
    if metrics_log.read(source.directory):
        training_curves(source)
    for name in (
        "reconstructions",
        "error_maps",
        "noise_robustness",
        "latent_space",
        "latent_grid",
        "noise_drift",
    ):
        say(files.save_figure(source.directory, name, getattr(plots, name)(run, dataset)))


def _draw(source: Source, name: str, draw: Callable[[Run, Dataset], Figure]) -> None:
    run = source.load(source.directory)
    say(files.save_figure(source.directory, name, draw(run, source.dataset(run.config))))


main = {
    "all": all_figures,
    "reconstructions": reconstructions,
    "error-maps": error_maps,
    "noise-robustness": noise_robustness,
    "latent-space": latent_space,
    "latent-grid": latent_grid,
    "noise-drift": noise_drift,
    "noise-curve": noise_curve,
    "seed-agreement": seed_agreement,
    "training-curves": training_curves,
}
