"""The real Fashion-MNIST, where its files are: a short run on it, and what docstrings show."""

import pytest

from jaxae.config import Config
from jaxae.evaluation.reconstruction import evaluate
from jaxae.inference import load
from tests.helpers import fit_state


@pytest.mark.slow
def test_one_epoch_beats_the_mean_image_and_the_rows_that_do_not_learn_are_the_published_ones(
    fashion_mnist, tmp_path
):
    recipe = Config(dataset="fashion_mnist", epochs=1, widths=(128, 32))
    fit_state(recipe, fashion_mnist, tmp_path / "run")
    found = evaluate(load(tmp_path / "run"), fashion_mnist)
    # Computed independently, with another draw of the noise: MSE .08664 and .03819, SSIM .468 on
    # the first 2,000 images.
    assert found.mean_image.mse == pytest.approx(0.08664, abs=1e-5)
    assert found.identity.mse == pytest.approx(0.03819, abs=1e-4)
    assert found.identity.ssim_mean == pytest.approx(0.468, abs=0.005)
    assert found.noisy.mse < 0.06
