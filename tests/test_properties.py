"""Any input gets a result or a named error: never a crash in XLA, never a file that is believed or
executed unread.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxae.core import step
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import ROUNDING, to_unit
from jaxae.core.objective import mae, mse, reconstruction_loss
from jaxae.core.rng import root_key
from jaxae.errors import InputError
from jaxae.evaluation.metrics import psnr, ssim
from jaxae.inference import Run, encode, reconstruct
from tests.helpers import untrained_run

NAMED = (InputError, TypeError, ValueError)
DTYPES = st.sampled_from([np.float32, np.float16, np.uint8, np.int32])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=30)
ARRAYS = hnp.arrays(
    DTYPES,
    st.one_of(
        SHAPES,
        st.builds(lambda n: (n, 28, 28, 1), st.integers(0, 3)),
        st.builds(lambda n: (n, 28, 28), st.integers(0, 3)),
    ),
)
quickly = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def attempt(function, *arguments, **options) -> np.ndarray | None:
    """The result as NumPy sees it, computed to the end, or None for a named error."""
    try:
        return np.asarray(function(*arguments, **options))
    except NAMED:
        return None


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # NumPy's, on NaN and on means of nothing: that is what was asked
@given(output=ARRAYS, target=ARRAYS)
@example(*np.zeros((2, 0, 11, 11, 0), np.float32))
@settings(quickly, max_examples=20)
def test_losses_and_metrics(output, target):
    fits = (
        output.shape == target.shape and output.ndim == 4
    )  # anything else would be broadcast to a number without meaning
    for function in (reconstruction_loss, mse, mae):
        result = attempt(function, output, target)
        assert (result is not None) == fits
        assert result is None or result.shape == output.shape[:1]
    similarity = attempt(ssim, output, target)
    assert (similarity is not None) == (
        fits and min(output.shape[1:3]) >= 11 and output.shape[3] > 0
    )
    values = attempt(psnr, output)
    assert values is not None
    assert values.shape == output.shape


@given(images=ARRAYS, std=st.floats(width=32), seed=st.integers(0, 2**32 - 1))
@settings(quickly, max_examples=10)
def test_noise_keeps_the_shape(images, std, seed):
    result = attempt(add_gaussian_noise, root_key(seed), images, std=std)
    assert result is None or result.shape == images.shape


@pytest.mark.parametrize("key", [0, None, "key", np.zeros(3), np.zeros((2, 2), np.uint32)])
def test_what_is_no_key_is_refused_by_name(key):
    assert attempt(add_gaussian_noise, key, np.zeros((1, 28, 28, 1), np.float32), std=0.1) is None


@pytest.fixture(scope="module")
def run() -> Run:
    return untrained_run(widths=(64, 16))


@given(images=ARRAYS)
@settings(quickly, max_examples=15)
def test_reconstruct_and_encode(run, images):
    on_scale = images.dtype == np.uint8 or (
        np.issubdtype(images.dtype, np.floating)
        and (np.abs(images.astype(float) - 0.5) <= 0.5 + ROUNDING).all()
    )
    fits = on_scale and images.shape[1:] in ((28, 28), (28, 28, 1))
    for function, shape in ((reconstruct, images.shape), (encode, (*images.shape[:1], 2))):
        result = attempt(function, run, images)
        assert (result is not None) == fits
        assert result is None or result.shape == shape


def test_not_a_number_in_one_image_stays_in_that_image(run):
    images = np.random.default_rng(0).random((3, 28, 28, 1)).astype(np.float32)
    spoilt = images.copy()
    spoilt[1, 5, 5] = np.nan
    denoised, expected = (
        np.asarray(run.model.apply(run.variables, each)) for each in (spoilt, images)
    )
    np.testing.assert_array_equal(denoised[[0, 2]], expected[[0, 2]])
    assert np.isnan(denoised[1]).all()
    with pytest.raises(InputError, match="values from nan"):
        reconstruct(run, spoilt)


@given(size=st.integers(1, 300), batch_size=st.integers(1, 400))
@settings(quickly, max_examples=6)
def test_epoch_order(size, batch_size):
    order = attempt(step.epoch_order, root_key(0), size, batch_size=batch_size)
    assert order is not None
    assert len(order) >= 16
    times = np.bincount(order.ravel(), minlength=size)
    assert len(times) == size
    if size >= 16 * batch_size:
        assert times.max() == 1


@given(images=ARRAYS)
@quickly
def test_bytes_to_unit(images):
    result = attempt(to_unit, images)
    assert result is not None
    assert result.shape == images.shape
