"""Figure 4, and more maps of the latent plane."""

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.metrics import mse
from jaxae.data.dataset import Dataset, check_data
from jaxae.evaluation.denoising_curve import LEVELS
from jaxae.evaluation.latent_plane import drift_of_noise, local_error, plane_of, quantile_grid, regular_grid
from jaxae.figures import latent_plane
from jaxae.figures import latent_space as latent_map
from jaxae.figures.map_view import robust_view
from jaxae.figures.style import Figure
from jaxae.inference import Run, decode, encode

DRIFT_LEVELS = (0.25, 0.6)
ARROWS, DRIFT_CELLS, GRID_CELLS = 300, 16, 20
MOST_CLASSES = 100


def latent_space(run: Run, dataset: Dataset) -> Figure:
    """Figure 4: all clean test images as points of the latent plane, a colour a class; without classes the error's colour."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    latents, coloured = encode(run, dataset.test.images), 0 < len(dataset.class_names) <= MOST_CLASSES
    plane = plane_of(latents)
    points = plane.project(latents)
    errors = None if coloured else local_error(points, np.asarray(mse(decode(run, latents), to_unit(dataset.test.images))))
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
    return latent_plane.latent_grid(images, counts, edges=(edges[0], edges[1]), dimensions=plane.labels, title=title)


def noise_drift(run: Run, dataset: Dataset) -> Figure:
    """Where noise pushes the test images' latents, over the decoded plane, and what that does to their 5-NN class."""
    drift, labels = drift_of_noise(run, dataset, levels=LEVELS), dataset.test.labels
    plane = plane_of(drift["latents"][0.0])
    clean = plane.project(drift["latents"][0.0])
    view = robust_view(clean)
    grid = plane.lift(regular_grid(view.low, view.high, cells=DRIFT_CELLS))
    return latent_plane.noise_drift(
        clean[:ARROWS],
        {level: plane.project(drift["latents"][level][:ARROWS]) for level in DRIFT_LEVELS},
        None if labels is None else labels[:ARROWS],
        names=dataset.class_names,
        grid=decode(run, grid).reshape(DRIFT_CELLS, DRIFT_CELLS, *dataset.image_shape),
        view=view,
        levels=LEVELS,
        changed=drift.get("changed"),
        accuracy=drift.get("accuracy"),
        dimensions=plane.labels,
        title=f"Where noise pushes {len(clean[:ARROWS])} of {len(clean):,} {dataset.title} test images in the latent plane",
    )
