"""The pictures of a run: a Run and a data set in, a matplotlib Figure out."""

from collections.abc import Sequence

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.objective import mse
from jaxae.data.dataset import Dataset, check_data, sample_indices
from jaxae.errors import InputError
from jaxae.evaluation.baselines import LABELS
from jaxae.evaluation.denoising_curve import LEVELS, unseen_examples
from jaxae.evaluation.maps import (
    align,
    drift_of_noise,
    local_error,
    plane_of,
    quantile_grid,
    regular_grid,
    shared_neighbours,
)
from jaxae.evaluation.metrics import image_psnr
from jaxae.evaluation.records import Curve, NoiseCurve
from jaxae.figures import denoising_curve, latent_plane, samples, seeds
from jaxae.figures import latent_space as latent_map
from jaxae.figures.map_view import robust_view
from jaxae.figures.style import Figure
from jaxae.inference import Run, corrupt, decode, encode, reconstruct

FOUR_LEVELS = (0.1, 0.25, 0.4, 0.6)


def reconstructions(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> Figure:
    """Figure 1: eight test images as clean, noisy and denoised rows."""
    chosen, names, clean = pick_samples(run, dataset, 8)
    noisy = corrupt(clean, std=noise_factor, indices=chosen)
    denoised = reconstruct(run, noisy)
    return samples.reconstructions(
        clean,
        noisy,
        denoised,
        names=names,
        noisy_psnr=image_psnr(noisy, clean),
        denoised_psnr=image_psnr(denoised, clean),
        title=f"Denoising through {_latent_size(run)}: {dataset.title} test images, noise {noise_factor:g}",
    )


def error_maps(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> Figure:
    """Figure 2: heat maps of the pixel errors of six test images, beside the noisy ones; the last of one of each class."""
    chosen, names, clean = pick_samples(run, dataset, 6, last=True)
    noisy = corrupt(clean, std=noise_factor, indices=chosen)
    denoised = reconstruct(run, noisy)
    title = f"Where the pixels go wrong: {dataset.title} test images, noise {noise_factor:g}"
    return samples.error_maps(clean, noisy, denoised, names=names, title=title)


def noise_robustness(run: Run, dataset: Dataset) -> Figure:
    """Figure 3: two test images at noise 0.1, 0.25, 0.4 and 0.6, as original, noisy and denoised rows."""
    chosen, names, clean = pick_samples(run, dataset, 2)
    noisy = [corrupt(clean, std=level, indices=chosen) for level in FOUR_LEVELS]
    denoised = [reconstruct(run, images) for images in noisy]
    trained = " to ".join(
        f"{level:g}" for level in run.config.noise_range or [run.config.noise_factor]
    )
    return samples.noise_robustness(
        clean,
        np.stack(noisy, axis=1),
        np.stack(denoised, axis=1),
        names=names,
        levels=FOUR_LEVELS,
        noisy_psnr=np.stack([image_psnr(images, clean) for images in noisy], axis=1),
        denoised_psnr=np.stack([image_psnr(images, clean) for images in denoised], axis=1),
        title=f"Noise of four strengths, trained on {trained}: {dataset.title} test images",
    )


def pick_samples(
    run: Run, dataset: Dataset, count: int, *, last: bool = False
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Indices of so many test images, what to call them, and the images."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    test = dataset.test
    firsts = sample_indices(test, 10)
    chosen = firsts[-count:] if last else firsts[:count]
    if test.labels is None:
        names = [f"image {index}" for index in chosen]
    else:
        names = [dataset.class_names[label] for label in test.labels[chosen]]
    return chosen, names, to_unit(test.images[chosen])


def _latent_size(run: Run) -> str:
    return "two numbers" if run.model.latent_dim == 2 else f"{run.model.latent_dim} numbers"


DRIFT_LEVELS = (0.25, 0.6)


ARROWS, DRIFT_CELLS, GRID_CELLS = 300, 16, 20


MOST_CLASSES = 100


def latent_space(run: Run, dataset: Dataset) -> Figure:
    """Figure 4: all clean test images as points of the latent plane, a colour a class; without classes the error's colour."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    latents, coloured = (
        encode(run, dataset.test.images),
        0 < len(dataset.class_names) <= MOST_CLASSES,
    )
    plane = plane_of(latents)
    points = plane.project(latents)
    errors = (
        None
        if coloured
        else local_error(
            points, np.asarray(mse(decode(run, latents), to_unit(dataset.test.images)))
        )
    )
    return latent_map.latent_space(
        points,
        dataset.test.labels if coloured else None,
        names=dataset.class_names if coloured else (),
        values=errors,
        values_label="mean squared error of the ten nearest images' reconstructions",
        dimensions=plane.labels,
        title=f"The {len(points):,} clean {dataset.title} test images in the {latents.shape[1]}-D latent space",
    )


def latent_grid(run: Run, dataset: Dataset) -> Figure:
    """What the decoder draws over the latent plane, cut at the quantiles of the test images, and their density there."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    latents = encode(run, dataset.test.images)
    plane = plane_of(latents)
    edges, middles, counts = quantile_grid(plane.project(latents), cells=GRID_CELLS)
    images = decode(run, plane.lift(middles)).reshape(GRID_CELLS, GRID_CELLS, *dataset.image_shape)
    title = f"The decoder over the latent plane: {dataset.title}, {len(dataset.test.images):,} clean test images"
    return latent_plane.latent_grid(
        images, counts, edges=(edges[0], edges[1]), dimensions=plane.labels, title=title
    )


def noise_drift(run: Run, dataset: Dataset) -> Figure:
    """Where noise pushes the test images' latents, over the decoded plane, and what that does to their 5-NN class."""
    drift, labels = drift_of_noise(run, dataset, levels=LEVELS), dataset.test.labels
    plane = plane_of(drift.latents[0.0])
    clean = plane.project(drift.latents[0.0])
    view = robust_view(clean)
    grid = plane.lift(regular_grid(view.low, view.high, cells=DRIFT_CELLS))
    return latent_plane.noise_drift(
        clean[:ARROWS],
        {level: plane.project(drift.latents[level][:ARROWS]) for level in DRIFT_LEVELS},
        None if labels is None else labels[:ARROWS],
        names=dataset.class_names,
        grid=decode(run, grid).reshape(DRIFT_CELLS, DRIFT_CELLS, *dataset.image_shape),
        view=view,
        levels=LEVELS,
        changed=drift.changed,
        accuracy=drift.accuracy,
        dimensions=plane.labels,
        title=f"Where noise pushes {len(clean[:ARROWS])} of {len(clean):,} {dataset.title} test images in the latent plane",
    )


def noise_curve(run: Run, dataset: Dataset, *, measured: NoiseCurve) -> Figure:
    """Quality against noise next to every rival. measured: what `denoising_curve` returns."""
    curves = {"jaxae": measured.ours}
    curves |= {LABELS[name]: curve for name, curve in measured.rivals.items()}
    unseen = {
        kind: (
            np.array([point.input_mse for point in points]),
            np.array([point.output_mse for point in points]),
        )
        for kind, points in measured.unseen.items()
    }
    split = f"{measured.about.split}, {measured.draws} noise draws"

    return denoising_curve.denoising_curve(
        measured.levels,
        {name: _arrays(curve) for name, curve in curves.items()},
        unseen,
        trained_noise=measured.trained_noise,
        break_even=measured.break_even,
        examples=unseen_examples(run, dataset),
        title=f"Denoising at every noise level: {dataset.title}, {split}",
    )


def _arrays(curve: Curve) -> dict[str, np.ndarray]:
    """Return the values by metric, f64[levels, draws], with NaN for an infinite PSNR."""
    return {
        "mse": np.array(curve.mse, np.float64),
        "psnr": np.array(curve.psnr, np.float64),
        "ssim": np.array(curve.ssim, np.float64),
    }


def seed_agreement(runs: Sequence[Run], dataset: Dataset, *, members: Sequence[str]) -> Figure:
    """How far several runs agree: aligned maps, shared neighbours, where reconstructions differ. members: a name for each."""
    if len(runs) < 2:
        raise InputError(
            f"seed agreement compares runs, got {len(runs)}: give a population, as jaxae train --seeds 8 makes one"
        )
    chosen, _, clean = pick_samples(runs[0], dataset, 6)
    latents = [encode(run, dataset.test.images) for run in runs]
    plane = plane_of(latents[0])
    noisy = corrupt(clean, std=runs[0].config.noise_factor, indices=chosen)
    return seeds.seed_agreement(
        [plane.project(align(latents[0], z)) for z in latents],
        dataset.test.labels,
        shared_neighbours(latents),
        members=members,
        names=dataset.class_names,
        clean=clean,
        denoised=np.stack([reconstruct(run, noisy) for run in runs]),
        title=f"{len(runs)} members on the {len(latents[0]):,} clean {dataset.title} test images, aligned on the first",
    )
