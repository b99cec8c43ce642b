"""Figures 1 to 3: what a run makes of a few test images."""

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.metrics import image_psnr
from jaxae.data.dataset import Dataset, check_data, sample_indices
from jaxae.figures import samples
from jaxae.figures.style import Figure
from jaxae.inference import Run, corrupt, reconstruct

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
    trained = " to ".join(f"{level:g}" for level in run.config.noise_range or [run.config.noise_factor])
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


def pick_samples(run: Run, dataset: Dataset, count: int, *, last: bool = False) -> tuple[np.ndarray, list[str], np.ndarray]:
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
