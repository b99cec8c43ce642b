from typing import Any

import numpy as np
import pytest

from jaxae.config import Config
from jaxae.data.dataset import Split, check_data, sample
from jaxae.data.split import split
from jaxae.errors import InputError

IMAGES = np.zeros((12, 5, 4), np.uint8)
LABELS = np.arange(12) % 3


def arrays(**changed: Any) -> dict[str, np.ndarray]:
    whole: dict[str, Any] = {
        "train_images": IMAGES,
        "train_labels": LABELS,
        "test_images": IMAGES,
        "test_labels": LABELS,
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def test_splits_shapes_and_names():
    data = split(arrays(), name="synthetic")
    assert (len(data.train.images), len(data.validation.images), len(data.test.images)) == (
        11,
        1,
        12,
    )
    assert data.image_shape == (5, 4, 1)
    assert data.class_names == ("0", "1", "2")
    unlabelled = split(arrays(train_labels=None, test_labels=None), name="synthetic")
    assert unlabelled.class_names == ()
    assert unlabelled.test.labels is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"train_images": IMAGES.astype(np.float32)}, "train_images are float32"),
        ({"test_images": IMAGES[0]}, r"test_images are uint8\[5, 4\]"),
        ({"train_labels": LABELS[:5]}, r"12 train_images, and train_labels are \[5\]"),
        ({"test_labels": None}, "labels for some of its splits only"),
    ],
)
def test_arrays_that_are_no_images_or_do_not_fit_are_refused(changed, expected):
    with pytest.raises(InputError, match=expected) as caught:
        split(arrays(**changed), name="synthetic")
    assert "\n" not in str(caught.value)


def test_other_data_than_those_of_the_training_are_refused(dataset):
    config = Config(dataset="synthetic")
    check_data(config, dataset, trained_on=dataset.digest)
    check_data(config, dataset)  # not known
    with pytest.raises(InputError, match="not those that the run was trained on"):
        check_data(config, dataset, trained_on="0" * 64)
    with pytest.raises(InputError, match="Expected Fashion-MNIST, but the digest"):
        check_data(Config(dataset="fashion_mnist"), dataset._replace(name="fashion_mnist"))


def test_a_sample_is_fixed_mixed_and_begins_a_larger_one():
    chosen = sample(3000, 300)
    assert sorted(set(chosen.tolist())) == sorted(chosen.tolist())
    assert chosen.min() >= 0
    assert chosen.max() < 3000
    np.testing.assert_array_equal(chosen, sample(3000, 3000)[:300])
    for part in (chosen[:100], chosen[200:]):  # of a third of the images each third of them is
        assert np.bincount(part // 1000, minlength=3).min() > 20
    assert sorted(sample(5, 9).tolist()) == [0, 1, 2, 3, 4]


def test_a_large_split_is_thinned_and_a_small_one_stays():
    """Of a folder's images, which lie class by class, every class keeps about its share."""
    images, labels = np.arange(3000).reshape(3000, 1, 1, 1), np.repeat(np.arange(3), 1000)
    part = Split(images, labels)
    assert part.at_most(3000) is part
    thin = part.at_most(300)
    assert np.bincount(np.asarray(thin.labels)).min() > 80
    np.testing.assert_array_equal(labels[thin.images.ravel()], thin.labels)
    assert len(np.unique(thin.images)) == 300
    assert Split(images).at_most(7).labels is None
