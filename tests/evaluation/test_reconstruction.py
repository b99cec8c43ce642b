import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxae import inference as batches
from jaxae.config import Config
from jaxae.core.images import to_unit
from jaxae.data import large
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import (
    clean_errors,
    evaluate,
    per_image,
    summarise,
    table,
)
from jaxae.evaluation.records import Evaluation, read_record, write_record
from jaxae.inference import Run, corrupt, encode, load, reconstruct
from tests.helpers import fit_state


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory) -> tuple[Path, Run]:
    run_dir = tmp_path_factory.mktemp("evaluate") / "run"
    fit_state(
        Config(dataset="synthetic", epochs=2, batch_size=64, learning_rate=3e-3, widths=(64, 16)),
        dataset,
        run_dir,
        report=lambda line: None,
    )
    return run_dir, load(run_dir)


def test_the_run_directory_alone_gives_the_best_epochs_model(run):
    run_dir, loaded = run
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert loaded.epoch == min(rows, key=lambda row: row["validation_loss"])["epoch"]
    assert loaded.config.dataset == "synthetic"


def test_means_are_exact_over_the_last_partial_batch(run, dataset, monkeypatch):
    """Compare 103 images in batches of 50 with NumPy on the model applied to each image alone."""
    _, loaded = run
    clean = to_unit(dataset.test.images)
    apply = jax.jit(loaded.model.apply)
    one_by_one = np.concatenate(
        [apply(loaded.variables, clean[i : i + 1]) for i in range(len(clean))]
    )
    monkeypatch.setattr(batches, "MANY", 50)
    row = evaluate(loaded, dataset).clean
    error = one_by_one.astype(np.float64) - clean
    np.testing.assert_allclose(row.mse, (error**2).mean(), rtol=1e-5)
    np.testing.assert_allclose(row.mae, np.abs(error).mean(), rtol=1e-5)
    assert row.psnr_of_mean_mse == pytest.approx(-10 * np.log10((error**2).mean()), rel=1e-5)
    per_image = -10 * np.log10((error**2).mean((1, 2, 3)))
    assert row.mean_of_image_psnr == pytest.approx(per_image.mean(), rel=1e-5)


def test_each_block_is_drawn_from_its_own_latents(run, dataset, monkeypatch):
    images = dataset.test.images
    error = reconstruct(run[1], images) - images / 255
    monkeypatch.setattr(large, "BLOCK", 40 * 784)  # the last block is smaller
    found = clean_errors(run[1], images, encode(run[1], images))
    np.testing.assert_allclose(found, (error**2).mean((1, 2, 3)), rtol=1e-4)


def test_rows_that_do_not_learn(run, dataset):
    evaluation = evaluate(run[1], dataset, noise_factor=0.25)
    clean = dataset.test.images / 255
    mean = (dataset.train.images / 255).mean(0)
    np.testing.assert_allclose(evaluation.mean_image.mse, ((clean - mean) ** 2).mean(), rtol=1e-5)
    noisy = corrupt(to_unit(dataset.test.images), std=0.25)
    np.testing.assert_allclose(evaluation.identity.mse, ((clean - noisy) ** 2).mean(), rtol=1e-5)


def test_evaluation_names_all_it_depends_on_and_repeats_to_the_bit(run, dataset, tmp_path):
    evaluation = evaluate(run[1], dataset)
    assert evaluation == evaluate(run[1], dataset)
    write_record(tmp_path / "evaluation.json", evaluation)
    assert read_record(tmp_path / "evaluation.json", Evaluation) == evaluation
    assert evaluation.about.data == "SYNTHETIC"
    assert evaluation.about.checkpoint_epoch == run[1].epoch
    for part in (
        "SYNTHETIC",
        "test, 103 images",
        "noise 0.25",
        "seed 0",
        f"epoch {run[1].epoch}",
        "jax ",
        "do nothing",
    ):
        assert part in table(evaluation)


def test_no_noise_makes_doing_nothing_perfect_and_the_record_says_none(run, dataset):
    row = evaluate(run[1], dataset, noise_factor=0.0).identity
    assert row.mse == 0
    assert row.psnr_of_mean_mse is None
    assert "inf dB" in table(evaluate(run[1], dataset, noise_factor=0.0))


def test_summary_of_one_image_off_by_a_tenth():
    target = np.full((1, 28, 28, 1), 0.5, np.float32)
    row = summarise(per_image(target + np.float32(0.1), target))
    assert row.mse == pytest.approx(0.01, rel=1e-4)
    assert row.mae == pytest.approx(0.1, rel=1e-4)
    assert row.psnr_of_mean_mse == pytest.approx(20, rel=1e-4)


def test_a_model_that_gives_no_numbers_is_refused_and_not_averaged(run, dataset):
    broken = run[1]._replace(variables=jax.tree.map(lambda leaf: leaf * np.nan, run[1].variables))
    with pytest.raises(InputError, match="not finite"):
        evaluate(broken, dataset)
    images = np.zeros((3, 28, 28, 1), np.float32)
    with pytest.raises(InputError, match="output for image 2 is not finite"):
        per_image(np.where(np.arange(3)[:, None, None, None] == 2, np.nan, images), images)


def test_shapes_for_any_number_of_images(run, dataset):
    for count in (1, 103):
        images = to_unit(dataset.test.images[:count])
        assert reconstruct(run[1], images).shape == (count, 28, 28, 1)
        assert encode(run[1], images).shape == (count, 2)


@pytest.mark.parametrize("std", [-0.1, float("nan")])
def test_impossible_noise_is_refused(run, dataset, std):
    with pytest.raises(InputError, match="noise_factor"):
        evaluate(run[1], dataset, noise_factor=std)


@pytest.mark.parametrize("shape", [(5, 784), (28, 28, 1), (3, 32, 32)])
def test_images_of_another_shape_are_refused(run, shape):
    with pytest.raises(InputError, match=r"shape .*: give \[N, (28, 28|height)"):
        reconstruct(run[1], np.zeros(shape, np.float32))
