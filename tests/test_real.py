"""The real Fashion-MNIST, where its files are: a short run on it, and what docstrings show."""

import doctest
from pathlib import Path

import pytest

import jaxae
from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.evaluation.reconstruction import evaluate
from jaxae.inference import load
from tests import ROOT
from tests.helpers import fit_state

EXAMPLES = ("load", "load_dataset", "reconstruct", "encode", "decode", "corrupt", "evaluate")


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


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_docstring_gives_what_it_shows(name, real, prepared, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    names = {
        "jaxae": jaxae,
        "run": load("checkpoints/released"),
        "dataset": real,
        "images": real.test.images[:5],
    }
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(jaxae, name), name, globs=names)
    assert example.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0
