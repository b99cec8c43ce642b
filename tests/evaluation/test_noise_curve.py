import jax
import numpy as np
import pytest

from jaxae.data.dataset import sample
from jaxae.errors import InputError, silent
from jaxae.evaluation import noise_curve as module
from jaxae.evaluation.baselines import LABELS
from jaxae.evaluation.noise_curve import (
    UNSEEN,
    matched_strength,
    measure_noise_curve,
    unseen_examples,
)
from jaxae.evaluation.records import NoiseCurve, read_record, write_record
from jaxae.inference import Run, corrupt
from tests import ROOT
from tests.helpers import untrained_run


@pytest.fixture(scope="module")
def run() -> Run:
    """Return an untrained model: these measurements do not depend on quality."""
    return untrained_run(widths=(64, 16))


def test_rivals_are_fitted_at_the_noise_that_they_are_measured_at(run, dataset, monkeypatch):
    """Mid-grey pixels, which no noise clips, deviate from clean ones by the noise level."""
    monkeypatch.setattr(module, "LEVELS", (0.05, 0.15))
    monkeypatch.setattr(module, "MATCHED", ())
    monkeypatch.setattr(module, "UNSEEN", {})
    fitted: list[float] = []

    def rivals(noisy, clean, *, pca):
        middle = np.abs(clean - 0.5) < 0.05
        fitted.append(float((noisy - clean)[middle].std()))
        np.testing.assert_array_equal(clean, dataset.train.images.astype(np.float32) / 255)
        return {"identity": lambda images: images}

    monkeypatch.setattr(module, "fit_rivals", rivals)
    measure_noise_curve(run, dataset, images=2, draws=1)
    np.testing.assert_allclose(fitted, [0.05, 0.15], rtol=0.05)


def test_the_curve_has_every_method_at_every_level_and_draw(run, dataset, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "LEVELS", (0.0, 0.25))
    monkeypatch.setattr(module, "MATCHED", (0.25,))
    monkeypatch.setattr("jaxae.evaluation.baselines.TV_IMAGES", 5)
    said: list[str] = []
    curve = measure_noise_curve(run, dataset, images=40, draws=2, report=said.append)
    assert len(said) == 3
    write_record(tmp_path / "noise_curve.json", curve)
    assert read_record(tmp_path / "noise_curve.json", NoiseCurve) == curve
    assert list(curve.rivals) == list(LABELS)
    for row in (curve.ours, *curve.rivals.values()):
        assert np.shape(row.mse) == np.shape(row.ssim) == (2, 2)
    nothing = curve.rivals["identity"]
    assert nothing.mse[0] == (0, 0)
    assert nothing.psnr[0] == (None, None)
    chosen = sample(len(dataset.test.images), 40)
    clean = dataset.test.images[chosen] / np.float32(255)
    for draw in (0, 1):
        noisy = corrupt(clean, std=0.25, draw=draw, indices=chosen)
        np.testing.assert_allclose(nothing.mse[1][draw], np.square(noisy - clean).mean(), rtol=1e-5)
    assert nothing.mse[1][0] != nothing.mse[1][1]
    for kind in UNSEEN:
        for point in curve.unseen[kind]:
            noisy = corrupt(clean, std=point.matches_std, indices=chosen)
            target = np.square(noisy - clean).mean()
            np.testing.assert_allclose(point.input_mse[0], target, rtol=0.02)


@pytest.mark.parametrize("kind", UNSEEN)
def test_strengths_are_matched_or_out_of_reach(kind, dataset):
    clean = dataset.test.images[:30] / np.float32(255)
    keys = jax.random.split(jax.random.key(0), len(clean))
    strength = matched_strength(keys, clean, kind, mse=0.02)
    assert strength is not None
    damaged = np.asarray(UNSEEN[kind].apply(keys, clean, strength))
    np.testing.assert_allclose(np.square(damaged - clean).mean(), 0.02, rtol=0.02)
    assert matched_strength(keys, clean, kind, mse=0.9) is None


def test_darkness_is_one_over_the_photons_of_a_white_pixel():
    """The variance of x · photons photons, divided by photons, is x / photons."""
    grey = np.full((3, 50, 50, 1), 0.25, np.float32)
    keys = jax.random.split(jax.random.key(0), 3)
    noisy = np.asarray(UNSEEN["Poisson"].apply(keys, grey, 0.01))
    np.testing.assert_allclose(noisy.var(), 0.25 * 0.01, rtol=0.05)


def test_the_examples_are_one_image_before_and_after(run, dataset):
    examples = unseen_examples(run, dataset)
    assert next(iter(examples)) == "Gaussian"
    assert set(examples) <= {"Gaussian", *UNSEEN}
    for noisy, denoised in examples.values():
        assert noisy.shape == denoised.shape == (28, 28, 1)
        assert 0 <= noisy.min() <= noisy.max() <= 1


def test_levels_ascend_and_those_of_other_noises_are_among_them():
    assert list(module.LEVELS) == sorted(set(module.LEVELS))
    assert list(module.MATCHED) == sorted(set(module.MATCHED) & set(module.LEVELS))
    released = read_record(ROOT / "docs" / "released" / "noise_curve.json", NoiseCurve)
    assert released is not None
    assert released.levels == module.LEVELS, "its table is of other levels"
    assert list(module.MATCHED) == [each.matches_std for each in released.unseen["Gaussian"]]


def test_one_image_is_enough(run, dataset, monkeypatch):
    monkeypatch.setattr(module, "LEVELS", (0.25,))
    monkeypatch.setattr(module, "MATCHED", ())
    monkeypatch.setattr(
        module, "fit_rivals", lambda *arrays, **options: {"identity": lambda images: images}
    )
    assert np.shape(
        measure_noise_curve(run, dataset, images=1, draws=1, report=silent).ours.mse
    ) == (
        1,
        1,
    )


@pytest.mark.parametrize("wrong", [{"images": 0}, {"draws": 0}])
def test_numbers_of_nothing_are_refused(run, dataset, wrong):
    with pytest.raises(InputError, match="give 1 or more"):
        measure_noise_curve(run, dataset, **wrong)
