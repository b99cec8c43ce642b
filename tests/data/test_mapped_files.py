"""Large arrays stay in their files, and train to the same bits; damage is noticed all the same."""

from typing import Any

import numpy as np
import pytest

from jaxae.config import Config
from jaxae.data import large
from jaxae.data.array_files import read_arrays
from jaxae.data.large import Subset
from jaxae.data.load import load_dataset
from jaxae.data.mapped_files import Spool, read_npy, read_npz, write_npz
from jaxae.errors import InputError, silent
from jaxae.runs.manifest import tree_digest
from jaxae.train.loop import fit

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 5, 4, 1), np.uint8)


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
    found = read_npz(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert isinstance(found[name], np.memmap) == (array.nbytes > 500 and not compressed)


def test_a_large_npy_file_stays_there(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", IMAGES)
    assert not isinstance(read_npy(tmp_path / "x.npy"), np.memmap)
    monkeypatch.setattr(large, "LARGE", 500)
    found = read_npy(tmp_path / "x.npy")
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


def test_what_is_written_block_by_block_is_what_numpy_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "BLOCK", 60)
    rows = np.array([9, 2, 2, 40])
    arrays: dict[str, Any] = {
        "images": Subset(IMAGES, rows),
        "labels": np.array(["a", "b", "c", "d"]),
    }
    write_npz(tmp_path / "x.npz", arrays)
    write_npz(tmp_path / "x.npz", {"more": np.array(3)}, mode="a")
    found = dict(np.load(tmp_path / "x.npz"))
    assert list(found) == ["images", "labels", "more"]
    np.testing.assert_array_equal(found["images"], IMAGES[rows])
    assert found["labels"].tolist() == ["a", "b", "c", "d"]
    assert found["more"] == 3


def test_arrays_of_several_kinds_come_back_from_a_temporary_file(tmp_path):
    kept = [IMAGES[0], IMAGES[1].astype(np.uint16)[..., 0] * 200, IMAGES[2:4]]
    spool = Spool(tmp_path)
    for array in kept:
        spool.append(array)
    for found, array in zip(spool, kept, strict=True):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)

    alike = Spool(tmp_path)
    for image in IMAGES:
        alike.append(image)
    np.testing.assert_array_equal(alike.stacked(), IMAGES)
