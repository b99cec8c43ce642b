import numpy as np
import pytest
from sklearn.metrics import r2_score

from jaxae.evaluation.explained import explained_lines, mean_image_mse


def test_the_share_is_that_of_scikit_learns_r2_score():
    """Where the mean training image is that of the images: there R² is defined."""
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 3, 3), dtype=np.uint8)
    found = images / 255 + 0.1
    rows = (images / 255).reshape(50, -1), found.reshape(50, -1)
    expected = r2_score(*rows, multioutput="variance_weighted")

    mean_image = mean_image_mse(images, images)
    np.testing.assert_allclose(1 - 0.01 / mean_image, expected, rtol=1e-6)
    (line,) = explained_lines(mse=0.01, mean_image=mean_image, latent_dim=2)
    assert f"explain {expected:.0%} of the variance" in line


def test_the_mean_is_that_of_the_training_images():
    images = np.full((5, 2, 2, 1), 255, np.uint8)
    assert mean_image_mse(images, np.zeros_like(images)) == 1


@pytest.mark.parametrize(
    ("mse", "latent_dim", "words", "advised"),
    [
        (0.04, 2, "Two numbers an image explain 20% of the variance of the images' pixels", True),
        (0.01, 2, "Two numbers an image explain 80% of", False),
        (0.06, 3, "3 numbers an image explain 0% of", True),
        (0.04, 32, "32 numbers an image explain 20% of", False),
    ],
)
def test_little_explained_by_a_map_comes_with_what_to_try(mse, latent_dim, words, advised):
    (line,) = explained_lines(mse=mse, mean_image=0.05, latent_dim=latent_dim)
    assert line.startswith(words)
    assert ("try --latent-dim 32 --widths 512 128" in line) == advised


def test_of_equal_images_nothing_is_explained():
    assert explained_lines(mse=0.0, mean_image=0.0, latent_dim=2) == []
