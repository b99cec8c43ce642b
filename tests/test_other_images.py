"""Images in colour, of another size or without labels work everywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jaxae
from jaxae.data.dataset import Dataset
from jaxae.data.split import split
from jaxae.errors import InputError, silent
from jaxae.evaluation import plots
from jaxae.evaluation.latent_scorecard import score_latent, table
from jaxae.evaluation.noise_curve import measure_noise_curve
from jaxae.evaluation.reconstruction import table as evaluation_table
from jaxae.inference import Run

RECIPE = jaxae.Config(
    dataset="synthetic", epochs=1, batch_size=64, widths=(32, 8), statistics_images=100
)


HEIGHT, WIDTH = 16, 12


def make(*, labels: bool) -> Dataset:
    """Return blobs in the colour of their class: 440 to train, 40 to validate, 420 to test."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 900)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre = rng.uniform(0.2, 0.8, (900, 2, 1, 1)) * np.array([HEIGHT, WIDTH])[:, None, None]
    blobs = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 30)[..., None]
    colours = np.array([[1, 0.2, 0.2], [0.2, 1, 0.2], [0.2, 0.2, 1]])[kinds]
    images = np.rint(255 * blobs * colours[:, None, None]).astype(np.uint8)
    arrays = {"train_images": images[:480], "test_images": images[480:]}
    if labels:
        arrays |= {
            "train_labels": kinds[:480].astype(np.uint8),
            "test_labels": kinds[480:].astype(np.uint8),
        }
    return split(
        arrays,
        name="synthetic",
        title="Blobs",
        class_names=("red", "green", "blue") if labels else (),
    )


@pytest.fixture(scope="module", params=["with labels", "without labels"])
def trained(request, tmp_path_factory) -> tuple[Dataset, Run, Path]:
    data = make(labels=request.param == "with labels")
    place = tmp_path_factory.mktemp("blobs") / "run-SYNTHETIC"
    return data, jaxae.fit(RECIPE, data, run_dir=place, report=silent), place


def test_the_shape_goes_from_the_data_into_the_recipe_and_the_model(trained):
    data, run, place = trained
    assert jaxae.load(place).config.image_shape == data.image_shape == (HEIGHT, WIDTH, 3)
    assert run.variables["params"]["encoder"]["dense_0"]["kernel"].shape == (
        HEIGHT * WIDTH * 3,
        32,
    )
    assert jaxae.decode(run, np.zeros((4, 2))).shape == (4, HEIGHT, WIDTH, 3)
    assert jaxae.reconstruct(run, data.test.images).shape == data.test.images.shape


def test_such_a_run_resumes_and_refuses_other_images(trained, dataset):
    data, run, place = trained
    lines: list[str] = []
    jaxae.fit(RECIPE, data, run_dir=place, report=lambda told: lines.append(str(told)))
    assert "is finished" in lines[0]
    with pytest.raises(InputError, match=r"has \[28, 28, 1\]: train one for these"):
        jaxae.fit(replace(RECIPE, image_shape=data.image_shape), dataset)
    with pytest.raises(InputError, match="another config"):
        jaxae.fit(RECIPE, dataset, run_dir=place)
    with pytest.raises(InputError, match=r"has \[28, 28, 1\]: train one for these"):
        jaxae.evaluate(run, dataset)
    with pytest.raises(InputError, match=r"images have the shape \[5, 28, 28\]: give \[N, "):
        jaxae.encode(run, np.zeros((5, 28, 28)))


def test_metrics_and_tables_are_those_that_numpy_finds(trained):
    data, run, _ = trained
    evaluation = jaxae.evaluate(run, data)
    clean = data.test.images / 255
    noisy = jaxae.corrupt(data.test.images, std=0.25)
    error = jaxae.reconstruct(run, noisy) - clean
    np.testing.assert_allclose(evaluation.noisy.mse, np.square(error).mean(), rtol=1e-4)
    assert evaluation.about.data == "Blobs"
    assert list(evaluation.classes) == list(data.class_names)
    assert "Blobs" in evaluation_table(evaluation)
    scores = score_latent(run, data)
    assert (scores.ours.knn_5 is not None) == (data.test.labels is not None)
    assert "PCA-2" in table(scores)
    assert "Parametric UMAP" not in table(scores)


@pytest.mark.slow
def test_every_figure_is_drawn(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxae.evaluation.noise_curve.LEVELS", (0.0, 0.25))
    monkeypatch.setattr("jaxae.evaluation.noise_curve.MATCHED", (0.25,))
    monkeypatch.setattr("jaxae.evaluation.baselines.TV_IMAGES", 5)
    data, run, _ = trained
    measured = measure_noise_curve(run, data, images=5, draws=1)
    figures = [
        *(
            getattr(plots, name)(run, data)
            for name in ("reconstructions", "error_maps", "noise_robustness", "latent_space")
        ),
        *(getattr(plots, name)(run, data) for name in ("latent_grid", "noise_drift")),
        plots.noise_curve(run, data, measured=measured),
        plots.seed_agreement([run, run], data, members=["one", "the same"]),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png")
        assert "Blobs" in figure.get_suptitle()
        assert "T-shirt" not in {
            text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        }
