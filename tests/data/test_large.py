"""Images that are too many to copy: rows of one array, in memory or in a file."""

import copy
import pickle

import numpy as np
import pytest

from jaxae.data import large
from jaxae.data.large import Subset, in_blocks, join, rows_of, take

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 5, 4, 1), np.uint8)
ROWS = np.array([7, 3, 3, 49, 0])


@pytest.fixture(params=["memory", "file"])
def images(request, tmp_path) -> np.ndarray:
    """The images in memory, and as a part of a memory-mapped file that begins within a page."""
    if request.param == "memory":
        return IMAGES
    np.save(tmp_path / "x.npy", np.concatenate([IMAGES[:13, ..., 0], IMAGES[..., 0]]))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    return mapped[13:][..., None]


def test_a_subset_is_what_numpy_takes(images):
    subset, expected = Subset(images, ROWS), IMAGES[ROWS]
    assert (len(subset), subset.shape, subset.nbytes) == (5, expected.shape, expected.nbytes)
    for key in (0, -1, slice(1, 4), [2, 0], ROWS > 3, (slice(None), 2), (..., 0)):
        np.testing.assert_array_equal(subset[key], expected[key])
    for found in (np.asarray(subset), list(subset), np.concatenate([subset, subset])[:5]):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(subset / 255, expected / 255)
    assert subset.mean() == expected.mean()
    assert np.asarray(subset, np.float32).dtype == np.float32
    for same in (copy.deepcopy(subset), pickle.loads(pickle.dumps(subset))):
        np.testing.assert_array_equal(same, expected)


def test_rows_of_any_shape_are_read(images):
    rows = ROWS[:4].reshape(2, 2)
    np.testing.assert_array_equal(rows_of(images, rows), IMAGES[rows])


def test_what_is_large_is_not_copied(images, monkeypatch):
    """Subsets of subsets are rows of the array itself; a slice of an array is a view."""
    monkeypatch.setattr(large, "LARGE", 10 * IMAGES[0].nbytes)
    assert isinstance(take(images, np.arange(9)), np.ndarray)
    assert np.shares_memory(take(images, slice(20)), images)

    odd = take(images, np.arange(50) % 2 == 1)
    assert isinstance(odd, Subset)
    for chosen in (slice(2, 20), np.arange(24, 2, -1)):
        again = take(odd, chosen)
        assert isinstance(again, Subset)
        assert again.array is images
        np.testing.assert_array_equal(again, IMAGES[1::2][chosen])

    both = join([odd, take(images, np.arange(50) % 2 == 0)])
    assert isinstance(both, Subset)
    np.testing.assert_array_equal(both, np.concatenate([IMAGES[1::2], IMAGES[::2]]))
    np.testing.assert_array_equal(join([IMAGES, odd]), np.concatenate([IMAGES, IMAGES[1::2]]))


def test_blocks_are_all_images_in_their_order(images, monkeypatch):
    monkeypatch.setattr(large, "BLOCK", 9 * IMAGES[0].nbytes)
    blocks = list(in_blocks(images))
    assert [len(block) for block in blocks] == [9, 9, 9, 9, 9, 5]
    np.testing.assert_array_equal(np.concatenate(blocks), IMAGES)
    assert len(list(in_blocks(np.zeros((3, 9999, 1, 1), np.uint8)))) == 3
