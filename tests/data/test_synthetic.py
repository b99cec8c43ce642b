import jax
import numpy as np
import pytest

from jaxae.data.synthetic import GARMENTS, synthetic_arrays
from jaxae.digests import digest


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return synthetic_arrays(jax.random.key(0), train=1000, test=500)


def test_shapes_and_classes_in_equal_numbers(arrays):
    assert arrays["train_images"].shape == (1000, 28, 28)
    assert arrays["test_images"].shape == (500, 28, 28)
    assert all(array.dtype == np.uint8 for array in arrays.values())
    assert (np.bincount(arrays["train_labels"]) == 100).all()
    assert len(GARMENTS) == 10


def test_the_images_are_the_same_on_every_machine_and_in_every_version(arrays):
    """Runs carry the digest of their data: others would stop those on these images."""
    known = "236b91ad3f2191eb6b09d527d7608dbbecfa84f16e79f4ff4447aa2fb955f06c"
    assert digest(arrays) == known


def test_a_key_decides_the_images(arrays):
    again = synthetic_arrays(jax.random.key(0), train=1000, test=500)
    other = synthetic_arrays(jax.random.key(1), train=1000, test=500)
    assert all((again[name] == arrays[name]).all() for name in arrays)
    assert (other["train_images"] != arrays["train_images"]).any()


def test_no_two_images_are_the_same(arrays):
    images = np.concatenate([arrays["train_images"], arrays["test_images"]])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_classes_can_be_told_apart_by_the_nearest_mean(arrays):
    train, test = (arrays[f"{part}_images"].reshape(-1, 784) / 255 for part in ("train", "test"))
    means = np.stack([train[arrays["train_labels"] == label].mean(0) for label in range(10)])
    guess = ((test[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (guess == arrays["test_labels"]).mean() > 0.8


def test_garments_fill_the_picture_without_touching_every_border(arrays):
    images = arrays["train_images"]
    assert 0.1 < (images > 25).mean() < 0.7
    assert (images[:, 0, 0] == 0).all()
