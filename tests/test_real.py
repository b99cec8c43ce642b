"""The real Fashion-MNIST, where its files are: a short run on it, and what docstrings show."""

from pathlib import Path

import pytest

from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.evaluation.reconstruction import evaluate
from jaxae.inference import load
from tests.helpers import fit_state


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Where TFDS keeps what it has prepared."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def real(real_files, prepared) -> Dataset:
    return load_dataset("fashion_mnist", data_dir=prepared, manual_dir=real_files)


@pytest.mark.slow
def test_one_epoch_beats_the_mean_image_and_the_rows_that_do_not_learn_are_the_published_ones(
    real, tmp_path
):
    recipe = Config(dataset="fashion_mnist", epochs=1, widths=(128, 32))
    fit_state(recipe, real, tmp_path / "run")
    found = evaluate(load(tmp_path / "run"), real)
    # Computed independently, with another draw of the noise: MSE .08664 and .03819, SSIM .468 on
    # the first 2,000 images.
    assert found.mean_image.mse == pytest.approx(0.08664, abs=1e-5)
    assert found.identity.mse == pytest.approx(0.03819, abs=1e-4)
    assert found.identity.ssim_mean == pytest.approx(0.468, abs=0.005)
    assert found.noisy.mse < 0.06
