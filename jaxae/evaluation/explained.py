"""How much of the pixels' variance a few numbers explain, and what to try for more."""

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import sample

SAMPLE = 1000
LITTLE = 0.6
"""Below this share of the variance a line says what to try."""
MAP = 3
"""Most latent dimensions that are taken for a map, which has few for its purpose."""


def mean_image_mse(images: np.ndarray, training: np.ndarray) -> float:
    """Return the mean squared error of the mean training image, from a sample of each.

    images and training: as a Split has them, [N, H, W, C]. Pixels count in [0, 1].
    """
    mean = to_unit(training[sample(len(training), SAMPLE)]).mean(axis=0)
    errors = to_unit(images[sample(len(images), SAMPLE)]) - mean
    return float(np.square(errors).mean())


def explained_lines(
    *, mse: float, mean_image: float, latent_dim: int, images: str = "images"
) -> list[str]:
    """Return a line about the share of the variance that the reconstructions explain.

    mse: of the reconstructions. mean_image: of the mean training image, on the same images; if it
    is 0, all images are equal and nothing is said. images: what they are called.
    """
    if mean_image <= 0:
        return []

    share = max(0.0, 1 - mse / mean_image)
    numbers = "Two numbers" if latent_dim == 2 else f"{latent_dim} numbers"
    line = f"{numbers} an image explain {share:.0%} of the variance of the {images}' pixels"
    if share >= LITTLE or latent_dim > MAP:
        return [f"{line}."]
    return [
        f"{line}: the coarse layout, without detail. "
        "That can do for a map; to denoise, try --latent-dim 32 --widths 512 128."
    ]
