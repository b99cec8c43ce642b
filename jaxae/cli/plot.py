"""Draws figures of a run and saves them as RUN/figures/NAME.png.

Example: jaxae plot latent-space checkpoints/released
"""

from collections.abc import Callable
from pathlib import Path

from jaxae.cli.messages import say
from jaxae.cli.options import Place, Source, save
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation import plots
from jaxae.evaluation.noise_curve import measure_noise_curve
from jaxae.figures.style import Figure
from jaxae.figures.training_curves import draw_training_curves
from jaxae.inference import Run
from jaxae.runs import files, metrics_log
from jaxae.train.population import labels

QUICK: dict[str, Callable[[Run, Dataset], Figure]] = {
    "reconstructions": plots.reconstructions,
    "error_maps": plots.error_maps,
    "noise_robustness": plots.noise_robustness,
    "latent_space": plots.latent_space,
    "latent_grid": plots.latent_grid,
    "noise_drift": plots.noise_drift,
}
"""The figures of a single run that take seconds."""


def reconstructions(source: Source, *, noise_factor: float = 0.25) -> None:
    """Figure 1: eight test images as clean, noisy and denoised rows.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise.
    """
    run, dataset = load_both(source)
    figure = plots.reconstructions(run, dataset, noise_factor=noise_factor)
    save_figure(source.directory, "reconstructions", figure)


def error_maps(source: Source, *, noise_factor: float = 0.25) -> None:
    """Figure 2: heat maps of the pixel errors of six test images.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise.
    """
    run, dataset = load_both(source)
    figure = plots.error_maps(run, dataset, noise_factor=noise_factor)
    save_figure(source.directory, "error_maps", figure)


def noise_robustness(source: Source) -> None:
    """Figure 3: the same images at noise 0.1, 0.25, 0.4 and 0.6."""
    run, dataset = load_both(source)
    save_figure(source.directory, "noise_robustness", plots.noise_robustness(run, dataset))


def latent_space(source: Source) -> None:
    """Figure 4: all test images as points of the latent plane."""
    run, dataset = load_both(source)
    save_figure(source.directory, "latent_space", plots.latent_space(run, dataset))


def latent_grid(source: Source) -> None:
    """What the decoder draws over the latent plane."""
    run, dataset = load_both(source)
    save_figure(source.directory, "latent_grid", plots.latent_grid(run, dataset))


def noise_drift(source: Source) -> None:
    """Where noise pushes the latents, and how many images change their class."""
    run, dataset = load_both(source)
    save_figure(source.directory, "noise_drift", plots.noise_drift(run, dataset))


def noise_curve(source: Source, *, images: int = 1000, draws: int = 5) -> None:
    """Quality at every noise level, with rivals, and under noise never trained on; some minutes.

    Writes RUN/noise_curve.json too.

    Args:
        source: The run and its data.
        images: How many test images to take, drawn at random.
        draws: Noise draws; curves are their means, bands go from the least to the greatest.
    """
    run, dataset = load_both(source)
    files.check_writable(source.directory)
    measured = measure_noise_curve(run, dataset, images=images, draws=draws, report=say)
    save(source.directory / "noise_curve.json", measured)
    figure = plots.noise_curve(run, dataset, measured=measured)
    save_figure(source.directory, "noise_curve", figure)


def seed_agreement(source: Source) -> None:
    """How far the members of a population agree: on the latent map, and pixel by pixel."""
    runs = [source.load(directory) for directory in source.directories]
    files.check_writable(source.run / "figures")
    dataset = source.dataset(runs[0].config)
    figure = plots.seed_agreement(runs, dataset, members=labels([run.config for run in runs]))
    save_figure(source.run, "seed_agreement", figure)


def training_curves(source: Place) -> None:
    """Losses and learning rate by epoch, also while training runs; of a population, all members."""
    needed = {"data", "best", *metrics_log.SCALARS}
    members = []
    for directory in source.directories:
        rows = [row for row in metrics_log.read(directory) if row.keys() >= needed]
        if rows:
            members.append(rows)
    if not members:
        raise InputError(
            f"{source.run} has no metrics.jsonl with an epoch in it: name a run that has begun "
            "to train"
        )

    figure = draw_training_curves(members, title=f"Training on {members[0][0]['data']}")
    place = source.run if source.member is None else source.directory
    save_figure(place, "training_curves", figure)


def all_figures(source: Source) -> None:
    """All figures of a single run, without the noise curve, which takes minutes."""
    run, dataset = load_both(source)
    if metrics_log.read(source.directory):
        training_curves(source)
    for name, draw in QUICK.items():
        save_figure(source.directory, name, draw(run, dataset))


def load_both(source: Source) -> tuple[Run, Dataset]:
    """Load a single run and its data. Raises InputError, also if no figure can be written."""
    run = source.load(source.directory)
    files.check_writable(source.directory / "figures")
    return run, source.dataset(run.config)


def save_figure(run_dir: Path, name: str, figure: Figure) -> None:
    """Save a figure in the run directory, and say where."""
    say(files.save_figure(run_dir, name, figure))


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
