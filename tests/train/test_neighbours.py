import numpy as np
import pytest

from jaxae.config import Config
from jaxae.core.neighbours import nearest_neighbours
from jaxae.core.rng import root_key
from jaxae.data.dataset import sample
from jaxae.data.load import synthetic_dataset
from jaxae.errors import silent
from jaxae.runs.manifest import tree_digest
from jaxae.train import loop
from jaxae.train import neighbours as module
from jaxae.train.neighbours import training_neighbours


@pytest.fixture(scope="module")
def small():
    return synthetic_dataset(root_key(0), train=120, test=10)


def test_they_are_found_once_for_the_same_images_and_again_for_others(small, tmp_path):
    small = small._replace(cache=tmp_path)
    told: list[str] = []
    first = training_neighbours(small, report=told.append)
    np.testing.assert_array_equal(first, nearest_neighbours(small.train.images, count=15))
    assert told == ["Finding the 15 nearest of each image among 110, once for these data"]

    again = training_neighbours(small, report=told.append)
    np.testing.assert_array_equal(again, first)
    assert len(told) == 1

    other = synthetic_dataset(root_key(1), train=120, test=10)._replace(cache=tmp_path)
    assert (training_neighbours(other, report=told.append) != first).any()
    assert len(told) == 2


def test_of_many_images_each_is_compared_with_those_of_its_part(small, monkeypatch):
    monkeypatch.setattr(module, "neighbour_count", lambda images: 5)
    monkeypatch.setattr(module, "COMPARED", 55)
    told: list[str] = []
    found = training_neighbours(small, report=told.append)
    assert "among 55 drawn at random" in told[0]
    halves = [set(half) for half in np.array_split(sample(110, 110), 2)]
    rows = small.train.images.reshape(110, -1).astype(float)
    for image, neighbours in enumerate(found):
        half = next(half for half in halves if image in half)
        others = sorted(half - {image}, key=lambda k: np.square(rows[k] - rows[image]).sum())
        assert neighbours.tolist() == others[:5]


def test_a_damaged_file_is_found_anew(small, tmp_path):
    small = small._replace(cache=tmp_path)
    first = training_neighbours(small, report=silent)
    (kept,) = tmp_path.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-900])
    told: list[str] = []
    np.testing.assert_array_equal(training_neighbours(small, report=told.append), first)
    assert "damaged" in told[0]


def test_nothing_is_written_for_data_in_memory(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training_neighbours(small, report=silent)
    assert not list(tmp_path.iterdir())


def test_a_run_trains_on_the_neighbours_that_are_found(small, monkeypatch):
    recipe = Config(dataset="synthetic", widths=(16,), batch_size=32, epochs=1, neighbor_weight=1.0)
    found = training_neighbours(small, report=silent)
    digests = set()
    for neighbours in (found, (found + 7) % 110):
        monkeypatch.setattr(loop, "training_neighbours", lambda *_, n=neighbours, **__: n)
        digests.add(tree_digest(loop.fit(recipe, small, report=silent).variables))
    assert len(digests) == 2
