import numpy as np
import pytest

from jaxae.core.images import as_unit, check_axes, check_pair, to_unit
from jaxae.errors import InputError

RNG = np.random.default_rng(0)


def test_bytes_and_floats_of_the_same_images_are_the_same():
    images = RNG.integers(0, 256, (5, 7, 3, 3), np.uint8)
    np.testing.assert_allclose(as_unit(images), images / 255, atol=1e-7)
    np.testing.assert_array_equal(as_unit(images), as_unit(to_unit(images)))
    np.testing.assert_allclose(as_unit((images / 255).tolist()), images / 255, atol=1e-7)
    assert as_unit(images).dtype == as_unit(images / 255).dtype == np.float32


def test_one_channel_may_be_left_out():
    images = RNG.random((5, 7, 3))
    assert as_unit(images).shape == (5, 7, 3, 1)
    assert as_unit(images[..., None]).shape == (5, 7, 3, 1)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.zeros((5, 784)), r"shape \[5, 784\]"),
        (np.zeros((1, 5, 7, 3, 1)), r"shape \[1, 5, 7, 3, 1\]"),
        (np.zeros((5, 7, 3), np.int64), "images are int64"),
        (np.zeros((5, 7, 3), bool), "images are bool"),
        (np.zeros((5, 7, 3), np.complex64), "images are complex64"),
        (np.full((5, 7, 3), 2.0), "values from 2 to 2"),
        (np.full((5, 7, 3), -5.0), "values from -5 to -5"),
        (np.full((5, 7, 3), np.nan), "values from nan"),
        (np.full((5, 7, 3), np.inf), "values from inf"),
    ],
)
def test_what_is_off_the_scale_is_refused_with_what_was_found(images, expected):
    with pytest.raises(InputError, match=expected) as caught:
        as_unit(images)
    assert "\n" not in str(caught.value)


def test_rounding_is_clipped_and_no_images_are_images():
    images = np.full((2, 3, 3), 1 + 1e-6)
    assert as_unit(images).max() == 1
    assert as_unit(np.zeros((0, 3, 3))).shape == (0, 3, 3, 1)


def test_pairs_of_two_shapes_are_refused():
    check_pair(np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 1)))
    for other in ((2, 3, 3), (1, 3, 3, 1), (2, 3, 3, 3)):
        with pytest.raises(InputError, match=r"one shape \[B, H, W, C\]"):
            check_pair(np.zeros((2, 3, 3, 1)), np.zeros(other))


@pytest.mark.parametrize("shape", [(9, 1, 28, 28), (9, 3, 6, 5), (9, 4, 8, 2)])
def test_channels_first_are_refused_with_the_right_order(shape):
    with pytest.raises(InputError, match=r"channels first: give \[N, height, width, channels\]"):
        check_axes(shape)


@pytest.mark.parametrize(
    "shape", [(9, 28, 28, 1), (9, 3, 5, 3), (9, 1, 64, 1), (9, 8, 3, 4), (9, 8, 8, 2), (9, 3, 8)]
)
def test_channels_last_are_taken_and_no_channels(shape):
    check_axes(shape)
