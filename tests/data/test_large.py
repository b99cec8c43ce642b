"""Images that are too many to copy: rows of one array, in memory or in a file."""

import copy
import pickle

import numpy as np
import pytest

from jaxae.config import Config
from jaxae.data import large
from jaxae.data.array_files import read_arrays
from jaxae.data.large import Subset, in_blocks, join, rows_of, take
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent
from jaxae.runs.manifest import tree_digest
from jaxae.train.loop import fit

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


def save(path, arrays, compressed):
    (np.savez_compressed if compressed else np.savez)(path, **arrays)


@pytest.mark.parametrize("compressed", [False, True])
def test_large_arrays_of_an_npz_file_stay_in_it(compressed, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 500)
    arrays = {
        "labels": np.arange(5),
        "images": IMAGES,
        "fortran": np.asfortranarray(IMAGES[..., 0]),
        "class_names": np.array(["a", "b"]),
    }
    save(tmp_path / "x.npz", arrays, compressed)
    found = large.read_npz(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert isinstance(found[name], np.memmap) == (array.nbytes > 500 and not compressed)


def test_a_large_npy_file_stays_there(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", IMAGES)
    assert not isinstance(large.read_npy(tmp_path / "x.npy"), np.memmap)
    monkeypatch.setattr(large, "LARGE", 500)
    found = large.read_npy(tmp_path / "x.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, IMAGES)


@pytest.mark.parametrize("place", [-700, 300])
def test_a_flipped_bit_in_a_mapped_array_is_noticed(place, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 500)
    path = tmp_path / "x.npz"
    np.savez(path, images=IMAGES)
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="is damaged"):
        read_arrays(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_a_mapped_set_trains_to_the_bits_of_one_in_memory(name, tmp_path, monkeypatch):
    """With its splits by bytes: each is rows of the file."""
    images = np.random.default_rng(1).integers(0, 256, (700, 6, 5, 1), np.uint8)
    path = tmp_path / name
    np.savez(path, images=images) if path.suffix == ".npz" else np.save(path, images)

    digests = []
    for most in (large.LARGE, 1):
        monkeypatch.setattr(large, "LARGE", most)
        data = load_dataset(path, report=silent)
        assert isinstance(data.train.images, Subset) == (most == 1)
        recipe = Config(dataset=str(path), batch_size=32, widths=(16,), epochs=2)
        run = fit(recipe, data, report=silent)
        digests.append((data.digest, tree_digest(run.variables)))
    assert digests[0] == digests[1]
