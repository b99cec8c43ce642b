"""The pictures of a run: a Run and a data set in, a matplotlib Figure out. What each shows is chosen and computed here.

`jaxae plot NAME RUN` saves them; in a notebook, jaxae.plots.latent_space(jaxae.load(run_dir), jaxae.load_dataset()) shows one.
All raise InputError where the run is for other data.
"""

from jaxae.plots.comparisons import noise_curve, seed_agreement
from jaxae.plots.maps import latent_grid, latent_space, noise_drift
from jaxae.plots.samples import error_maps, noise_robustness, reconstructions

__all__ = [
    "error_maps",
    "latent_grid",
    "latent_space",
    "noise_curve",
    "noise_drift",
    "noise_robustness",
    "reconstructions",
    "seed_agreement",
]
