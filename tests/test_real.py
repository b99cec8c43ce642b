"""A short run on the real Fashion-MNIST, where its files are."""

import pytest

from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.evaluation.reconstruction import evaluate
from jaxae.inference import load
from tests.helpers import fit_state


@pytest.fixture(scope="module")
def real(real_files, tmp_path_factory) -> Dataset:
    return load_dataset("fashion_mnist", data_dir=tmp_path_factory.mktemp("real"), manual_dir=real_files)


def test_one_epoch_beats_the_mean_image_and_the_rows_that_do_not_learn_are_the_published_ones(real, tmp_path):
    fit_state(Config(dataset="fashion_mnist", epochs=1), real, tmp_path / "run", report=lambda line: None)
    rows = evaluate(load(tmp_path / "run"), real)["rows"]
    # Computed independently, with another draw of the noise: MSE .08664 and .03819, SSIM .468 on the first 2,000 images.
    assert rows["mean training image"]["mse"] == pytest.approx(0.08664, abs=1e-5)
    assert rows["do nothing, noisy input"]["mse"] == pytest.approx(0.03819, abs=1e-4)
    assert rows["do nothing, noisy input"]["ssim_mean"] == pytest.approx(0.468, abs=0.005)
    assert rows["jaxae, noisy input"]["mse"] < 0.06
