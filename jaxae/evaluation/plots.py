"""Figures of a run: from a Run and its data set to a matplotlib Figure.

Each raises InputError for other data than those of the run.

>>> jaxae.plots.reconstructions(small, dataset).savefig("reconstructions.png")
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from jaxae.data.dataset import Dataset, pick_samples, sample
from jaxae.errors import InputError
from jaxae.evaluation import maps
from jaxae.evaluation.baselines import LABELS
from jaxae.evaluation.metrics import image_psnr
from jaxae.evaluation.noise_curve import LEVELS, unseen_examples
from jaxae.evaluation.reconstruction import clean_errors
from jaxae.evaluation.records import Curve, NoiseCurve, UnseenNoise, check_run_and_data
from jaxae.figures.latent_plane import draw_latent_grid, draw_noise_drift
from jaxae.figures.latent_space import draw_latent_space
from jaxae.figures.map_view import robust_view
from jaxae.figures.noise_curve import draw_noise_curve
from jaxae.figures.samples import draw_error_maps, draw_noise_robustness, draw_reconstructions
from jaxae.figures.seeds import draw_seed_agreement
from jaxae.figures.style import Figure
from jaxae.inference import Run, corrupt, decode, encode, reconstruct

FOUR_LEVELS = (0.1, 0.25, 0.4, 0.6)
DRIFT_LEVELS = (0.25, 0.6)
ARROWS = 300
DRIFT_CELLS = 16
GRID_CELLS = 20
FEW_IMAGES = 100
"""Most images with classes that a map shows themselves, not as points."""
MOST_CLASSES = 100
"""Most classes that a map tells apart."""


def reconstructions(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> Figure:
    """Draw figure 1: eight test images as clean, noisy and denoised rows."""
    check_run_and_data(run, dataset)
    samples = pick_samples(dataset, 8)
    noisy = corrupt(samples.clean, std=noise_factor, indices=samples.indices)
    denoised = reconstruct(run, noisy)

    size = run.model.latent_dim
    numbers = "two numbers" if size == 2 else f"{size} numbers"
    title = f"Denoising through {numbers}: {dataset.title} test images, noise {noise_factor:g}"
    return draw_reconstructions(
        samples.clean,
        noisy,
        denoised,
        names=samples.names,
        noisy_psnr=image_psnr(noisy, samples.clean),
        denoised_psnr=image_psnr(denoised, samples.clean),
        title=title,
    )


def error_maps(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> Figure:
    """Draw figure 2: heat maps of the pixel errors of six test images."""
    check_run_and_data(run, dataset)
    samples = pick_samples(dataset, 6, last=True)
    noisy = corrupt(samples.clean, std=noise_factor, indices=samples.indices)
    denoised = reconstruct(run, noisy)

    title = f"Where the pixels go wrong: {dataset.title} test images, noise {noise_factor:g}"
    return draw_error_maps(samples.clean, noisy, denoised, names=samples.names, title=title)


def noise_robustness(run: Run, dataset: Dataset) -> Figure:
    """Draw figure 3: two test images at noise 0.1, 0.25, 0.4 and 0.6."""
    check_run_and_data(run, dataset)
    samples = pick_samples(dataset, 2)
    clean = samples.clean
    noisy = [corrupt(clean, std=level, indices=samples.indices) for level in FOUR_LEVELS]
    denoised = [reconstruct(run, images) for images in noisy]

    trained = run.config.noise_range or [run.config.noise_factor]
    levels = " to ".join(f"{level:g}" for level in trained)
    title = f"Noise of four strengths, trained on {levels}: {dataset.title} test images"
    return draw_noise_robustness(
        clean,
        np.stack(noisy, axis=1),
        np.stack(denoised, axis=1),
        names=samples.names,
        levels=FOUR_LEVELS,
        noisy_psnr=np.stack([image_psnr(images, clean) for images in noisy], axis=1),
        denoised_psnr=np.stack([image_psnr(images, clean) for images in denoised], axis=1),
        title=title,
    )


def latent_space(run: Run, dataset: Dataset) -> Figure:
    """Draw figure 4: all clean test images as points of the latent plane, a colour a class.

    Of a person's own data all images are drawn, and those that were not trained on have a ring.
    Without classes, or with more than MOST_CLASSES, colours are the error of reconstructions.
    """
    check_run_and_data(run, dataset)
    part = dataset.together() if dataset.is_own else dataset.test
    latents = encode(run, part.images)
    plane = maps.plane_of(latents)
    points = plane.project(latents)

    labels = None
    names: Sequence[str] = ()
    errors = None
    if 0 < len(dataset.class_names) <= MOST_CLASSES:
        labels = part.labels
        names = dataset.class_names
    else:
        errors = maps.local_error(points, clean_errors(run, part.images, latents))

    size = latents.shape[1]
    title = f"The {len(points):,} clean {dataset.title} test images in the {size}-D latent space"
    trained_on = 0
    if dataset.is_own:
        trained_on = len(dataset.train.images)
        others = len(points) - trained_on
        title = (
            f"All {len(points):,} images of {dataset.title} in the {size}-D latent space\n"
            f"rings: the {others:,} that were not trained on"
        )

    return draw_latent_space(
        points,
        labels,
        names=names,
        values=errors,
        values_label="mean squared error of the ten nearest images' reconstructions",
        trained_on=trained_on,
        thumbnails=part.images if labels is None or len(points) <= FEW_IMAGES else None,
        dimensions=plane.labels,
        title=title,
    )


def latent_grid(run: Run, dataset: Dataset) -> Figure:
    """Draw the decoder's images over the latent plane, and how many test images lie there."""
    check_run_and_data(run, dataset)
    latents = encode(run, dataset.test.images)
    plane = maps.plane_of(latents)
    cut = maps.quantile_grid(plane.project(latents), cells=GRID_CELLS)
    images = decode(run, plane.lift(cut.middles))

    count = f"{len(latents):,} clean test images"
    return draw_latent_grid(
        images.reshape(GRID_CELLS, GRID_CELLS, *dataset.image_shape),
        cut.counts,
        edges=(cut.edges[0], cut.edges[1]),
        dimensions=plane.labels,
        title=f"The decoder over the latent plane: {dataset.title}, {count}",
    )


def noise_drift(run: Run, dataset: Dataset) -> Figure:
    """Draw where noise pushes the latents, and how many images change their 5-NN class."""
    drift = maps.drift_of_noise(run, dataset, levels=LEVELS)
    plane = maps.plane_of(drift.latents[0.0])
    clean = plane.project(drift.latents[0.0])
    chosen = sample(len(clean), ARROWS)
    noisy = {level: plane.project(drift.latents[level][chosen]) for level in DRIFT_LEVELS}
    view = robust_view(clean)
    grid = decode(run, plane.lift(maps.regular_grid(view.low, view.high, cells=DRIFT_CELLS)))

    labels = dataset.test.labels
    count = f"{len(chosen)} of {len(clean):,} {dataset.title} test images"
    return draw_noise_drift(
        clean[chosen],
        noisy,
        None if labels is None else labels[chosen],
        names=dataset.class_names,
        grid=grid.reshape(DRIFT_CELLS, DRIFT_CELLS, *dataset.image_shape),
        view=view,
        levels=LEVELS,
        changed=drift.changed,
        accuracy=drift.accuracy,
        dimensions=plane.labels,
        title=f"Where noise pushes {count} in the latent plane",
    )


def noise_curve(run: Run, dataset: Dataset, *, measured: NoiseCurve) -> Figure:
    """Draw what `measure_noise_curve` found for the model, its rivals and unseen noise."""
    methods = {"jaxae": _curve(measured.ours)}
    methods |= {LABELS[name]: _curve(curve) for name, curve in measured.rivals.items()}

    what = f"{measured.about.split}, {measured.draws} noise draws"
    return draw_noise_curve(
        measured.levels,
        methods,
        {kind: _errors(points) for kind, points in measured.unseen.items() if points},
        trained_noise=measured.trained_noise,
        break_even=measured.break_even,
        examples=unseen_examples(run, dataset),
        title=f"Denoising at every noise level: {dataset.title}, {what}",
    )


def _curve(curve: Curve) -> dict[str, np.ndarray]:
    """Return the values by metric, f64[levels, draws], with NaN for an infinite PSNR."""
    return {name: np.array(values, np.float64) for name, values in asdict(curve).items()}


def _errors(points: Sequence[UnseenNoise]) -> tuple[np.ndarray, np.ndarray]:
    """Return the MSE of input and output, f64[points, draws] each."""
    given = np.array([point.input_mse for point in points])
    got = np.array([point.output_mse for point in points])

    return given, got


def seed_agreement(runs: Sequence[Run], dataset: Dataset, *, members: Sequence[str]) -> Figure:
    """Draw how far several runs agree: on their maps, and pixel by pixel. members: their names."""
    if len(runs) < 2:
        raise InputError(
            f"seed agreement compares runs, got {len(runs)}: give two or more, such as the "
            "members of a population"
        )

    first = runs[0]
    check_run_and_data(first, dataset)
    samples = pick_samples(dataset, 6)
    noisy = corrupt(samples.clean, std=first.config.noise_factor, indices=samples.indices)
    latents = [encode(run, dataset.test.images) for run in runs]
    plane = maps.plane_of(latents[0])

    count = f"{len(latents[0]):,} clean {dataset.title} test images"
    return draw_seed_agreement(
        [plane.project(maps.align(latents[0], each)) for each in latents],
        dataset.test.labels,
        maps.shared_neighbours(latents),
        members=members,
        names=dataset.class_names,
        clean=samples.clean,
        denoised=np.stack([reconstruct(run, noisy) for run in runs]),
        title=f"{len(runs)} members on the {count}, aligned on the first",
    )
