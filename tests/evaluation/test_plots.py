"""Figures are given the right images: a picture of others would look as good."""

import dataclasses

import numpy as np
import pytest

from jaxae.data.dataset import Split, sample, sample_indices
from jaxae.evaluation import plots
from jaxae.inference import Run, corrupt, encode
from tests.helpers import untrained_run


@pytest.fixture(scope="module")
def run() -> Run:
    """Return an untrained model."""
    return untrained_run(widths=(64, 16))


def given(name: str, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Return what a function of figures is called with, after it was called."""
    seen: dict = {}

    def draw(*arrays, **options):
        seen.update(options, arrays=arrays)

    monkeypatch.setattr(plots, f"draw_{name}", draw)
    return seen


@pytest.mark.parametrize(("name", "count"), [("reconstructions", 8), ("error_maps", 6)])
def test_figures_1_and_2_show_test_images_their_noise_and_what_the_model_makes_of_it(
    name, count, run, dataset, monkeypatch
):
    seen = given(name, monkeypatch)
    getattr(plots, name)(run, dataset, noise_factor=0.25)
    chosen = sample_indices(dataset.test, 10)
    chosen = chosen[:count] if name == "reconstructions" else chosen[-count:]
    clean, noisy, denoised = seen["arrays"]
    np.testing.assert_array_equal(clean, dataset.test.images[chosen].astype(np.float32) / 255)
    np.testing.assert_array_equal(noisy, corrupt(dataset.test.images, std=0.25)[chosen])
    np.testing.assert_allclose(denoised, run.model.apply(run.variables, noisy), atol=1e-6)
    assert seen["names"] == [dataset.class_names[label] for label in dataset.test.labels[chosen]]
    if name == "reconstructions":
        for key, images in (("noisy_psnr", noisy), ("denoised_psnr", denoised)):
            errors = ((images.astype(np.float64) - clean) ** 2).mean(axis=(1, 2, 3))
            np.testing.assert_allclose(seen[key], -10 * np.log10(errors), rtol=1e-6)


def test_figure_4_of_a_persons_own_data_has_all_images_and_says_which_were_trained_on(
    run, dataset, monkeypatch
):
    seen = given("latent_space", monkeypatch)
    config = dataclasses.replace(run.config, dataset="/my/pictures")
    own = dataset._replace(name="/my/pictures", title="pictures")
    plots.latent_space(run._replace(config=config), own)
    parts = [dataset.train, dataset.validation, dataset.test]
    images = np.concatenate([part.images for part in parts])
    points, labels = seen["arrays"]
    np.testing.assert_allclose(points, encode(run, images), atol=1e-6)
    np.testing.assert_array_equal(labels, np.concatenate([part.labels for part in parts]))
    assert seen["trained_on"] == 550
    assert "All 703 images of pictures" in seen["title"]
    assert "the 153 that were not trained on" in seen["title"]
    assert seen["thumbnails"] is None  # they would hide the classes of so many

    plots.latent_space(run, dataset)
    assert len(seen["arrays"][0]) == 103
    assert seen["trained_on"] == 0


def test_arrows_of_noise_begin_at_clean_images_in_the_colours_of_their_classes(
    run, dataset, monkeypatch
):
    monkeypatch.setattr(plots, "ARROWS", 5)
    monkeypatch.setattr(plots, "DRIFT_CELLS", 2)
    seen = given("noise_drift", monkeypatch)
    plots.noise_drift(run, dataset)
    chosen = sample(103, 5)
    clean, noisy, labels = seen["arrays"]
    np.testing.assert_array_equal(labels, dataset.test.labels[chosen])
    images = dataset.test.images
    np.testing.assert_allclose(clean, encode(run, images)[chosen], atol=1e-6)
    for level, latents in noisy.items():
        expected = encode(run, corrupt(images, std=level))[chosen]
        np.testing.assert_allclose(latents, expected, atol=1e-5)


def test_samples_are_the_first_of_each_class_in_the_splits_order():
    split = Split(np.zeros((6, 2, 2, 1), np.uint8), np.array([9, 2, 9, 2, 0, 1]))
    assert sample_indices(split, 10).tolist() == [0, 1, 4, 5, 2, 3]  # and then the second ones
    assert sample_indices(split, 2).tolist() == [0, 1]
    without = sample_indices(split._replace(labels=None), 3)
    assert without.tolist() == sample(6, 3).tolist()


def test_figure_3_shows_each_level_in_its_column(run, dataset, monkeypatch):
    seen = given("noise_robustness", monkeypatch)
    plots.noise_robustness(run, dataset)
    chosen = sample_indices(dataset.test, 2)
    clean, noisy, denoised = seen["arrays"]
    np.testing.assert_array_equal(clean, dataset.test.images[chosen].astype(np.float32) / 255)
    assert seen["levels"] == (0.1, 0.25, 0.4, 0.6)
    for column, level in enumerate(seen["levels"]):
        np.testing.assert_array_equal(
            noisy[:, column], corrupt(dataset.test.images, std=level)[chosen]
        )
        np.testing.assert_allclose(
            denoised[:, column], run.model.apply(run.variables, noisy[:, column]), atol=1e-6
        )
        for key, images in (("noisy_psnr", noisy), ("denoised_psnr", denoised)):
            errors = ((images[:, column].astype(np.float64) - clean) ** 2).mean(axis=(1, 2, 3))
            np.testing.assert_allclose(seen[key][:, column], -10 * np.log10(errors), rtol=1e-6)
