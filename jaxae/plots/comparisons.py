"""A run beside its rivals, and several runs beside each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation.denoising_curve import unseen_examples
from jaxae.evaluation.latent_plane import plane_of
from jaxae.evaluation.seeds import align, shared_neighbours
from jaxae.figures import denoising_curve, seeds
from jaxae.figures.style import Figure
from jaxae.inference import Run, corrupt, encode, reconstruct
from jaxae.plots.samples import pick_samples


def noise_curve(run: Run, dataset: Dataset, *, measured: dict[str, Any]) -> Figure:
    """Quality against noise beside every rival. measured: the contents of noise_curve.json, as denoising_curve returns them."""
    title = f"Denoising at every noise level: {dataset.title}, {measured['split']}, {measured['draws']} noise draws"
    return denoising_curve.denoising_curve(measured, examples=unseen_examples(run, dataset), title=title)


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
