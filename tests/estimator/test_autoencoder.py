"""The estimator: scikit-learn's own checks, and what jaxae.fit, NumPy and scikit-learn say of the
same data.
"""

import os
import pickle
import subprocess
import sys
from collections import Counter

import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import jaxae
from jaxae import DenoisingAutoencoder
from jaxae.data import large
from jaxae.data.dataset import Dataset, Split
from jaxae.estimator import rows
from jaxae.estimator.rows import Scale, range_warning, scale_of
from jaxae.train.epoch import compile_epoch
from tests import ROOT

SMALL = DenoisingAutoencoder(epochs=2, widths=(8, 4), random_state=3)
X = load_digits().data  # f64[1797, 64] from 0 to 16
BYTES = (15 * X).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted() -> DenoisingAutoencoder:
    return clone(SMALL).fit(X)


@pytest.fixture(scope="module")
def fitted_on_bytes() -> DenoisingAutoencoder:
    return clone(SMALL).fit(BYTES)


@pytest.mark.slow
@parametrize_with_checks([DenoisingAutoencoder(epochs=2, widths=(8, 4))])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_it_is_the_run_that_jaxae_fit_trains(fitted_on_bytes):
    train, validation = train_test_split(BYTES.reshape(-1, 8, 8, 1), test_size=179, random_state=3)
    dataset = Dataset("digits", "digits", "", Split(train), Split(validation), Split(train[:0]))
    recipe = jaxae.Config(
        dataset="digits",
        image_shape=(8, 8, 1),
        widths=(8, 4),
        dropout=SMALL.dropout,
        neighbor_weight=SMALL.neighbor_weight,
        learning_rate=SMALL.learning_rate,
        matmul_dtype="float32",
        epochs=2,
        seed=3,
    )
    assert fitted_on_bytes.config_.matmul_dtype == recipe.matmul_dtype
    lines: list[str] = []
    run = jaxae.fit(recipe, dataset, report=lambda told: lines.append(str(told)))
    images = BYTES.reshape(-1, 8, 8)
    np.testing.assert_allclose(
        fitted_on_bytes.transform(BYTES), jaxae.encode(run, images), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        fitted_on_bytes.denoise(BYTES) / 255,
        jaxae.reconstruct(run, images).reshape(-1, 64),
        rtol=1e-5,
        atol=1e-6,
    )
    for epoch, loss in enumerate(fitted_on_bytes.loss_curve_, start=1):
        assert any(line.startswith(f"epoch   {epoch}/2  train {loss:.5f}") for line in lines)
    assert (fitted_on_bytes.n_iter_, fitted_on_bytes.best_epoch_) == (2, run.epoch)


def test_run_goes_into_jaxaes_own_functions(fitted):
    images = (X / 16).astype(np.float32).reshape(-1, 1, 64, 1)
    np.testing.assert_allclose(
        jaxae.encode(fitted.run_, images), fitted.transform(X), rtol=1e-5, atol=1e-6
    )


def test_a_large_table_of_floats_is_trained_on_from_the_hosts_memory(fitted, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 0)
    other = clone(SMALL).fit(X)
    np.testing.assert_allclose(other.loss_curve_, fitted.loss_curve_, rtol=1e-5)


def test_the_scale_of_the_data_is_undone(fitted):
    """A scale of 4 and a shift of 16 are exact in float64: the same bits are trained on."""
    other = clone(SMALL).fit(4 * X + 16)
    np.testing.assert_array_equal(other.transform(4 * X + 16), fitted.transform(X))
    np.testing.assert_allclose(other.denoise(4 * X + 16), 4 * fitted.denoise(X) + 16, rtol=1e-12)
    latents = [[0.0, 1.0], [-2.0, 0.5]]
    np.testing.assert_allclose(
        other.inverse_transform(latents), 4 * fitted.inverse_transform(latents) + 16, rtol=1e-12
    )
    np.testing.assert_allclose(other.score(4 * X + 16), 16 * fitted.score(X), rtol=1e-9)
    assert fitted.inverse_transform(latents).min() >= 0
    assert 1 < fitted.inverse_transform(latents).max() <= 16


def test_bytes_are_on_the_scale_of_bytes_and_precision_is_that_of_fit(fitted, fitted_on_bytes):
    denoised = fitted_on_bytes.denoise(BYTES[:5])
    assert denoised.dtype == np.float32
    assert fitted.denoise(X[:5]).dtype == np.float64
    assert 16 < denoised.max() <= 255
    np.testing.assert_array_equal(
        fitted_on_bytes.transform(BYTES[:5].astype(float)), fitted_on_bytes.transform(BYTES[:5])
    )


def test_the_anomaly_score_is_the_error_of_a_row(fitted):
    expected = np.square(fitted.denoise(X) - X).mean(axis=1)
    np.testing.assert_allclose(fitted.anomaly_score(X), expected, rtol=1e-5)
    np.testing.assert_allclose(fitted.score(X), -expected.mean(), rtol=1e-5)
    strange = X[:1].copy()
    strange[0, 0] = 1000  # far off the scale of fit: clipped for the encoder, and counted in full
    words = "values from 0 to 1000, and fit was given 0 to 16"
    with pytest.warns(UserWarning, match=words):
        score = fitted.anomaly_score(strange)
    with pytest.warns(UserWarning, match=words):
        denoised = fitted.denoise(strange)
    np.testing.assert_allclose(score, np.square(denoised - strange).mean(axis=1), rtol=1e-5)
    assert score > 10_000


@pytest.mark.parametrize(
    ("low", "high", "warns"), [(-15, 31, False), (-17, 16, True), (0, 33, True), (0, 0.01, True)]
)
def test_a_range_is_far_from_that_of_fit_where_it_leaves_it_by_more_than_its_span(low, high, warns):
    scale = Scale(np.float32(0), np.float32(16))
    assert (range_warning(np.array([low, high]), scale) is not None) == warns


@pytest.mark.parametrize(
    ("values", "low", "high"), [((3, 16), 3, 16), ((3, 17), 0, 255), ((3.0, 17.0), 3, 17)]
)
def test_bytes_are_pixels_unless_all_are_low(values, low, high):
    table = np.array([values], np.uint8 if isinstance(values[0], int) else np.float32)
    assert scale_of(table) == (low, high)


def test_one_random_state_one_result(fitted):
    np.testing.assert_array_equal(clone(SMALL).fit(X).transform(X), fitted.transform(X))
    assert (
        np.abs(
            clone(SMALL).set_params(random_state=4).fit(X).transform(X) - fitted.transform(X)
        ).max()
        > 0.01
    )
    states = [np.random.RandomState(5), np.random.RandomState(5)]
    a, b = (clone(SMALL).set_params(random_state=state).fit(X) for state in states)
    np.testing.assert_array_equal(a.transform(X), b.transform(X))


def test_a_pickle_gives_the_same_model(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    assert again.get_params() == fitted.get_params()


def test_rows_have_the_same_latents_alone_and_among_others(fitted):
    np.testing.assert_allclose(
        fitted.transform(X)[1500:1503], fitted.transform(X[1500:1503]), rtol=1e-5, atol=1e-6
    )
    assert fitted.transform(X[:1]).shape == (1, 2)


def test_a_pipeline_in_a_grid_search_finds_the_better_one():
    pipeline = make_pipeline(StandardScaler(), clone(SMALL))
    grid = {
        "denoisingautoencoder__epochs": np.array([1, 40]),
        "denoisingautoencoder__n_components": np.array([2]),
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(
        X[:99]
    )  # so few that all fits have one shape
    assert search.best_params_ == {
        "denoisingautoencoder__epochs": 40,
        "denoisingautoencoder__n_components": 2,
    }
    assert list(search.best_estimator_.get_feature_names_out()) == [
        "denoisingautoencoder0",
        "denoisingautoencoder1",
    ]


def test_a_second_fit_of_one_shape_compiles_nothing(fitted):
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event)
    )
    again = clone(SMALL).set_params(random_state=8, epochs=3).fit(X[::-1])
    again.score(X)
    assert not [event for event in compiled if "backend_compile" in event]
    jax.jit(lambda x: x + compiled.__len__())(1.0)
    assert [event for event in compiled if "backend_compile" in event], "the listener hears nothing"


def test_the_defaults_are_the_recipes_but_for_dropout_and_the_neighbour_term():
    recipe = vars(jaxae.Config())
    mine = DenoisingAutoencoder().get_params()
    differing = {name for name in mine.keys() & recipe.keys() if mine[name] != recipe[name]}
    assert differing == {"dropout", "neighbor_weight"}


def test_progress_is_told_line_by_line():
    lines: list[str] = []
    clone(SMALL).set_params(progress=lambda told: lines.append(str(told))).fit(X)
    assert sum(line.startswith("epoch") for line in lines) == 2


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [(1797, 0.1, 179), (100, 0.1, 10), (99, 0.1, 0), (5000, 0.0, 0)],
)
def test_so_many_rows_are_held_out(count, fraction, expected):
    assert rows.held_out(count, fraction) == expected


@pytest.mark.parametrize("count", [2, 20, 127, 128, 700])
def test_fewer_rows_than_a_batch_are_repeated_evenly(count):
    made = rows.as_dataset(
        BYTES[:count], BYTES[:count], scale=rows.scale_of(BYTES), batch_size=128
    ).train.images.reshape(-1, 64)
    copies = Counter(row.tobytes() for row in made)
    assert set(copies) == {row.tobytes() for row in BYTES[:count]}
    each = [
        copies[row.tobytes()] / np.sum((BYTES[:count] == row).all(axis=1)) for row in BYTES[:count]
    ]
    assert max(each) <= min(each) * 9 / 8
    assert len(made) == (1024 if count < 128 else count)  # one shape, one program


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components is 0"),
        ({"noise_factor": -1.0}, "noise_factor is -1.0"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0: give 0 or more"),
        (
            {"learning_rate": 1e38},
            r"no longer a finite number: give a lower learning_rate than 1e\+38",
        ),
    ],
)
def test_what_cannot_be_trained_is_a_value_error_of_one_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        clone(SMALL).set_params(**options).fit(X)
    assert "\n" not in str(caught.value)


def test_a_mask_is_refused(fitted):
    """scikit-learn would take what lies under it."""
    for function in (clone(SMALL).fit, fitted.transform, fitted.denoise, fitted.inverse_transform):
        with pytest.raises(ValueError, match="1 masked values: fill them"):
            function(np.ma.masked_equal([[1.0, 2.0], [3.0, 4.0]], 4.0))


def test_latents_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match="Z has 3 columns: give 2"):
        fitted.inverse_transform(np.zeros((4, 3)))


@pytest.mark.parametrize(
    "method", ["transform", "denoise", "inverse_transform", "anomaly_score", "score"]
)
def test_nothing_works_before_fit(method):
    with pytest.raises(NotFittedError, match="not fitted"):
        getattr(clone(SMALL), method)(X)


def test_a_loss_that_breaks_later_keeps_the_best_epoch_and_warns(fitted, monkeypatch):
    def breaking(*arguments, **options):
        run_epoch = compile_epoch(*arguments, **options)

        def epoch(state, active):
            state, result = run_epoch(state, active)
            return state, result._replace(finite=result.epoch < 3)

        return epoch

    monkeypatch.setattr("jaxae.train.loop.compile_epoch", breaking)
    with pytest.warns(
        ConvergenceWarning,
        match="After epoch 2 the loss is no longer a finite number: give a lower",
    ):
        broken = clone(SMALL).set_params(epochs=5).fit(X)
    assert broken.n_iter_ == 2
    np.testing.assert_array_equal(broken.transform(X), fitted.transform(X))


def test_without_scikit_learn_one_line_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None\nfrom jaxae import *\n"
    code += "assert 'DenoisingAutoencoder' not in dir()\n"
    code += "from jaxae import DenoisingAutoencoder"
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=100,
    )
    assert done.stderr.splitlines()[-1] == (
        "jaxae.errors.InputError: scikit-learn is not installed: "
        "pip install -e '.[sklearn]' brings it"
    )
