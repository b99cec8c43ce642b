"""Splits by the images' bytes, and labels as people have them."""

import hashlib
from typing import Any

import numpy as np
import pytest

from jaxae.data.split import PARTS, split
from jaxae.errors import InputError

SHARES = (0.8, 0.1, 0.1)
IMAGES = np.random.default_rng(0).integers(0, 256, (600, 5, 4), np.uint8)


def places(images: np.ndarray, **options: Any) -> dict[bytes, str]:
    """The part in which each image is, by its bytes."""
    data = split({"images": images}, name="mine", **{"shares": SHARES, **options})
    parts = {part: getattr(data, part).images for part in PARTS}
    assert sum(map(len, parts.values())) == len(images)
    return {image.tobytes(): part for part, found in parts.items() for image in found}


def test_the_shares_are_about_those_asked_for():
    found = list(places(IMAGES).values())
    for part, share in zip(PARTS, SHARES, strict=True):  # six standard deviations of a binomial
        assert abs(found.count(part) / 600 - share) < 6 * np.sqrt(share * (1 - share) / 600)


def test_the_place_is_that_of_the_rule_computed_by_hand():
    for image, part in places(IMAGES).items():
        position = int(hashlib.sha256(image).hexdigest()[:12], 16) / 16**12
        assert part == PARTS[(position >= 0.8) + (position >= 0.9)]


def test_another_image_moves_none_and_equal_images_stay_together():
    before = places(IMAGES[:500])
    after = places(np.concatenate([IMAGES, IMAGES[:50]])[::-1])
    assert before.items() <= after.items()


def test_a_grey_image_stays_where_it_is_when_colour_comes_along():
    grey = split({"images": IMAGES}, name="mine", shares=SHARES)
    colour = split({"images": np.repeat(IMAGES[..., None], 3, axis=3)}, name="mine", shares=SHARES)
    for part in PARTS:
        np.testing.assert_array_equal(
            getattr(grey, part).images[..., 0], getattr(colour, part).images[..., 2]
        )


def test_labels_follow_their_images():
    labels = np.array(["sun", "moon", "star"])[IMAGES[:, 0, 0] % 3]
    data = split({"images": IMAGES, "labels": labels}, name="mine", shares=SHARES)
    assert data.class_names == ("moon", "star", "sun")
    for part in (data.train, data.validation, data.test):
        assert part.labels is not None
        names = np.array(data.class_names)[part.labels]
        np.testing.assert_array_equal(
            names, np.array(["sun", "moon", "star"])[part.images[:, 0, 0, 0] % 3]
        )


def test_given_splits_are_kept_and_a_missing_validation_is_taken_from_training():
    arrays = {"train_images": IMAGES[:400], "test_images": IMAGES[400:]}
    data = split(arrays, name="mine", shares=SHARES)
    np.testing.assert_array_equal(data.test.images[..., 0], IMAGES[400:])
    assert len(data.train.images) + len(data.validation.images) == 400
    assert 20 < len(data.validation.images) < 80  # a ninth
    whole = split({**arrays, "validation_images": IMAGES[:7]}, name="mine", shares=SHARES)
    assert [len(getattr(whole, part).images) for part in PARTS] == [400, 7, 200]


def test_other_shares_are_other_data():
    digests = {
        split({"images": IMAGES}, name="mine", shares=shares).digest
        for shares in (SHARES, (0.7, 0.2, 0.1))
    }
    assert len(digests) == 2


def test_numbers_that_begin_elsewhere_and_one_single_class():
    data = split({"images": IMAGES, "labels": np.arange(600) % 2 + 7}, name="mine", shares=SHARES)
    assert data.class_names == ("7", "8")
    assert data.train.labels is not None
    assert set(data.train.labels.tolist()) == {0, 1}
    one = split({"images": IMAGES, "labels": np.ones(600, int)}, name="mine", shares=SHARES)
    assert (one.class_names, one.test.labels) == ((), None)


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"images": IMAGES[:1]}, {}, "too few images"),
        ({"images": IMAGES[:3]}, {}, "there are none for"),
        ({"images": np.repeat(IMAGES[:1], 50, axis=0)}, {}, "has 50 images, and all are the same"),
        ({"images": IMAGES[:0]}, {}, "too few images"),
        ({"images": IMAGES, "labels": np.zeros(5, int)}, {}, r"labels are \[5\]"),
        ({"images": IMAGES, "labels": np.zeros((600, 2), int)}, {}, r"labels are \[600, 2\]"),
        ({"images": IMAGES, "labels": np.linspace(0, 1, 600)}, {}, "labels of the type float64"),
        (
            {"images": IMAGES, "labels": np.arange(600) % 3},
            {"class_names": ("a", "b")},
            "there are 2 class names",
        ),
        ({"train_images": IMAGES, "test_images": IMAGES[:, :3]}, {}, "several shapes"),
        ({"test_images": IMAGES}, {}, "give images, or train_images and test_images"),
        ({"images": IMAGES}, {"shares": None}, "give the shares"),
    ],
)
def test_bad_input_is_one_line(arrays, options, words):
    with pytest.raises(InputError, match=words) as caught:
        split(arrays, name="mine", **{"shares": SHARES, **options})
    assert "\n" not in str(caught.value)


def test_classes_that_are_numbers_are_in_the_order_of_numbers():
    texts = np.array([str(number) for number in np.arange(600) % 12])
    data = split({"images": IMAGES, "labels": texts}, name="mine", shares=SHARES)
    assert data.class_names == tuple(str(number) for number in range(12))
    assert data.train.labels is not None
    by_image = dict(zip((image.tobytes() for image in IMAGES), texts, strict=True))
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        assert data.class_names[label] == by_image[image.tobytes()]

    mixed = np.where(np.arange(600) % 12 == 11, "x", texts)
    names = split({"images": IMAGES, "labels": mixed}, name="mine", shares=SHARES).class_names
    assert names[:4] == ("0", "1", "10", "2")  # as texts, since one is no number
