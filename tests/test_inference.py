from functools import partial
from typing import Any, cast

import numpy as np
import pytest

import jaxae
from jaxae.data.large import Subset
from jaxae.errors import InputError, silent
from jaxae.evaluation.reconstruction import evaluate
from jaxae.inference import MANY, Run, corrupt, decode, encode, reconstruct
from jaxae.train.loop import fit
from tests.helpers import untrained_run


@pytest.fixture(scope="module")
def run() -> Run:
    """An untrained model."""
    return untrained_run(widths=(64, 16))


def test_an_image_has_the_same_noise_whatever_is_beside_it(dataset):
    images = dataset.test.images
    whole = corrupt(images, std=0.25)
    chosen = np.array([90, 3, 17])
    np.testing.assert_array_equal(corrupt(images[chosen], std=0.25, indices=chosen), whole[chosen])
    np.testing.assert_array_equal(corrupt(images[:40], std=0.25, draw=0), whole[:40])
    assert (
        corrupt(images[chosen], std=0.25) != whole[chosen]
    ).any()  # without indices they are the first three


def test_images_and_draws_have_noise_of_their_own():
    grey = np.full((6, 28, 28), 0.5, np.float32)
    noise = np.concatenate([corrupt(grey, std=0.1, draw=draw) - grey for draw in (0, 1)]).reshape(
        12, -1
    )
    assert (np.abs(np.corrcoef(noise) - np.eye(12)) < 0.2).all()
    np.testing.assert_allclose(noise.std(), 0.1, rtol=0.05)


def test_rows_of_a_large_array_are_read_batch_by_batch(run):
    class Asked(Subset):
        """Notes how many rows are asked for at once."""

        def __getitem__(self, key: Any) -> np.ndarray:
            rows = super().__getitem__(key)
            asked.append(len(rows))
            return rows

    asked: list[int] = []
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)
    rows = np.arange(2500) % 50
    latents = encode(run, cast(np.ndarray, Asked(images, rows)))
    np.testing.assert_array_equal(latents[::-50], np.tile(encode(run, images[-1:]), (50, 1)))
    assert sum(asked) == len(latents) == 2500
    assert max(asked) == MANY


def test_bytes_lists_and_floats_give_the_same(run, dataset):
    images = dataset.test.images[:3]
    for function in (
        lambda x: reconstruct(run, x),
        lambda x: encode(run, x),
        lambda x: corrupt(x, std=0.3),
    ):
        expected = function(images)
        np.testing.assert_array_equal(function(images / np.float32(255)), expected)
        np.testing.assert_allclose(function((images / 255).tolist()), expected, atol=1e-6)
        np.testing.assert_array_equal(function(images[..., 0]).reshape(expected.shape), expected)


def test_lists_of_bytes_and_lists_of_arrays_are_taken_by_what_they_hold(run, dataset):
    images = dataset.test.images[:3]
    for function in (
        lambda x: reconstruct(run, x),
        lambda x: encode(run, x),
        lambda x: corrupt(x, std=0.3),
    ):
        np.testing.assert_array_equal(function(list(images)), function(images))
        with pytest.raises(
            InputError, match="images are int64"
        ):  # Python's whole numbers may be of any scale
            function(images.tolist())


RAGGED = [[[0.1, 0.2], [0.3]]]
MASKED = np.ma.masked_greater(np.tile([0.2, 0.9], (2, 28, 14)), 0.5)


@pytest.mark.parametrize(
    "images",
    [
        np.full((2, 28, 28), 2.0),
        np.zeros((2, 28, 28), np.int64),
        np.zeros((2, 28, 28, 3, 1)),
        RAGGED,
        [[["a"]]],
        [[[None]]],
        None,
        MASKED,
    ],
    ids=["scale", "integers", "axes", "ragged", "text", "objects", "nothing", "mask"],
)
def test_wrong_images_are_refused_in_one_line(run, images):
    check_refused(run, images)


def test_a_tensor_with_gradients_is_refused_in_one_line(run):
    torch = pytest.importorskip("torch", reason="no PyTorch: pip install -e '.[torch]' brings it")
    check_refused(run, torch.zeros(2, 28, 28, requires_grad=True))


def check_refused(run: Run, images: Any) -> None:
    for function in (reconstruct, encode, lambda _, x: corrupt(x, std=0.1)):
        with pytest.raises(InputError, match="images") as caught:
            function(run, images)
        assert "\n" not in str(caught.value)


def test_a_mask_that_hides_nothing_is_no_mask(run):
    np.testing.assert_array_equal(
        encode(run, np.ma.array(MASKED.data)), encode(run, np.asarray(MASKED.data))
    )


@pytest.mark.parametrize("wrong", [None, "checkpoints/released", {}])
def test_what_is_no_run_is_named(wrong):
    functions: list[Any] = [encode, decode, reconstruct, evaluate]
    for function in functions:
        with pytest.raises(InputError, match=r"run is .*: give what jaxae\.load or jaxae\.fit"):
            function(wrong, np.zeros((1, 2)))


def test_arrays_are_no_dataset(run):
    """Users of scikit-learn give them to fit."""
    images = np.zeros((20, 28, 28), np.uint8)
    functions: list[Any] = [partial(fit, run.config), partial(evaluate, run)]
    for function in functions:
        with pytest.raises(
            InputError, match=r"type ndarray: give what jaxae\.load_dataset returns"
        ):
            function(images)
    with pytest.raises(InputError, match=r"config is \{'epochs': 3\}: give a jaxae.Config"):
        fit({"epochs": 3})  # type: ignore[arg-type]


def test_images_of_another_shape_are_refused(run):
    for function in (reconstruct, encode):
        with pytest.raises(InputError, match=r"\[2, 28, 28, 3\]: give \[N, 28, 28, 1\] or"):
            function(run, np.zeros((2, 28, 28, 3)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"draw": -1},
        {"draw": 1.5},
        {"draw": 2**32},
        {"draw": "0"},
        {"indices": [1]},
        {"indices": [0.5, 1.0]},
        {"indices": [-1, 0]},
        {"indices": [0, 2**32]},  # would have the noise of image 0
        {"indices": [[0], [1, 2]]},
        {"std": -1.0},
        {"std": float("nan")},
        {"std": [0.1, 0.2]},
        {"std": None},
    ],
    ids=str,
)
def test_draws_indices_and_strengths_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))) as caught:
        corrupt(np.zeros((2, 28, 28)), **({"std": 0.25} | wrong))
    assert "\n" not in str(caught.value)


def test_the_greatest_draws_and_indices_have_noise_of_their_own():
    grey = np.full((3, 28, 28), 0.5, np.float32)
    first = corrupt(grey, std=0.1, indices=[0, 2**31, 2**32 - 1]).reshape(3, -1)
    last = corrupt(grey, std=0.1, draw=2**32 - 1).reshape(3, -1)
    assert (np.abs(np.corrcoef(np.concatenate([first, last])) - np.eye(6)) < 0.2).all()


def test_latents_of_another_width_are_refused(run):
    assert decode(run, [[0.0, 1.5]]).shape == (1, 28, 28, 1)
    with pytest.raises(InputError, match=r"\[7, 3\]: give \[N, 2\]"):
        decode(run, np.zeros((7, 3)))


def test_latents_that_are_no_finite_real_numbers_are_refused(run):
    np.testing.assert_array_equal(decode(run, [[0, 1]]), decode(run, np.array([[0.0, 1.0]])))
    for wrong in (
        [[0.0, np.nan]],
        [[np.inf, 0.0]],
        [[1e300, 0.0]],
        [[1j, 0.0]],
        [["a", "b"]],
        [[0.0, 1.0], [0.0]],
        [[True, False]],
    ):
        with pytest.raises(InputError, match="latents are") as caught:
            decode(run, wrong)
        assert "\n" not in str(caught.value)


def test_a_split_without_images_is_named_where_it_is_needed(run, dataset):
    empty = dataset.test.take(slice(0))
    for function in (jaxae.evaluate, jaxae.plots.reconstructions, jaxae.plots.noise_drift):
        with pytest.raises(InputError, match="SYNTHETIC has no test images"):
            function(run, dataset._replace(test=empty))
    with pytest.raises(InputError, match="SYNTHETIC has no validation images"):
        jaxae.fit(run.config, dataset._replace(validation=empty), report=silent)
    assert jaxae.encode(run, empty.images).shape == (0, 2)
    assert jaxae.reconstruct(run, empty.images).shape == (0, 28, 28, 1)
    assert jaxae.corrupt(empty.images, std=0.1).shape == (0, 28, 28, 1)
