import itertools
from dataclasses import replace

import numpy as np
import pytest

from jaxae.config import Config
from jaxae.data import large
from jaxae.data.dataset import Dataset, Split
from jaxae.train.introduction import (
    begin_lines,
    describe_classes,
    describe_oddities,
    describe_pixels,
)


def test_the_first_lines_name_data_model_and_recipe(dataset):
    widths = [784, 512, 256, 128, 64, 32, 16, 8, 4, 2]
    weights = 2 * sum(a * b for a, b in itertools.pairwise(widths))
    parameters = (
        weights + 2 * 2 * sum(widths[1:-1]) + 2 + 784
    )  # scales and shifts of BatchNorm; two layers have a bias
    text = "\n".join(begin_lines("/runs/x", [0], [Config(dataset="synthetic")], dataset))
    for part in (
        "Training in /runs/x",
        "SYNTHETIC",
        "28×28×1",
        "550 training, 50 validation, 103 test",
        "jaxae, which drew it",
    ):
        assert part in text
    assert f"784→512→256→128→64→32→16→8→4→2 and back, {parameters:,} parameters" in text
    for part in (
        "at most 300 epochs",
        "batches of 128",
        "noise 0.25",
        "learning rate 0.002",
        "seed 0",
    ):
        assert part in text
    assert (
        begin_lines("/runs/x", [3, 4], [Config()] * 2, dataset)[0]
        == "Resuming after epoch 3 to 4 in /runs/x"
    )
    assert "bfloat16" not in text
    rounded = Config(dataset="synthetic", matmul_dtype="bfloat16")
    assert begin_lines("/runs/x", [0], [rounded], dataset)[-1].endswith("products in bfloat16")


def test_the_first_lines_of_several_members_say_in_what_they_differ(dataset):
    recipe = Config(dataset="synthetic")
    lines = begin_lines(
        "/runs/x", [0, 0], [recipe, replace(recipe, seed=1, learning_rate=0.5)], dataset
    )
    assert lines[-1].endswith("2 members that differ in learning_rate, seed")


def data_of(images, labels=None, names=()):
    """Return a data set whose three splits are the same."""
    part = Split(np.asarray(images, np.uint8), labels)
    return Dataset("x", "x", "0", part, part, part, tuple(names))


def test_equal_and_dark_images_are_told_by_name_in_a_line_each():
    images = np.full((6, 2, 2, 1), 65, np.uint8)
    images[:, 0, 0, 0] = [1, 2, 1, 3, 2, 1]
    images[3] = 64
    halves = [Split(images[:3]), Split(images[3:], files=np.array(["a/3.png", "4", "5"]))]
    data = Dataset("x", "x", "0", halves[0], halves[1], halves[0].take(slice(0)))
    assert describe_oddities(data) == [
        " " * 10 + "3 images are equal to others, such as train 2 to train 0",
        " " * 10 + "1 images have no pixel above 64, such as a/3.png",
    ]
    assert describe_oddities(data._replace(train=Split(images[:2]), validation=halves[1])) == [
        " " * 10 + "2 images are equal to others, such as 4 to train 1",
        " " * 10 + "1 images have no pixel above 64, such as a/3.png",
    ]


def test_classes_are_told_with_the_number_of_their_training_images():
    labels = np.repeat([0, 1, 3], [2, 1, 1200])
    images = np.zeros((len(labels), 2, 2, 1))
    lines = describe_classes(data_of(images, labels, ["cat", "dog", "none", "bird of prey"]))
    assert lines == [" " * 10 + "4 classes: cat 2, dog 1, none 0, bird of prey 1,200"]
    assert describe_classes(data_of(images)) == [" " * 10 + "no classes"]


@pytest.mark.parametrize(
    "names",
    [
        [f"a long name of class number {k}" for k in range(37)],
        [f"{k}" + "x" * 300 for k in range(37)],
        [f"line\nbreak {k}" for k in range(37)],
    ],
)
def test_of_many_classes_ten_are_told_in_a_hundred_columns(names):
    labels = np.arange(37)
    lines = describe_classes(data_of(np.zeros((37, 2, 2, 1)), labels, names))
    assert max(len(line) for line in lines) <= 100
    assert lines[0].startswith(" " * 10 + "37 classes: ")
    assert lines[-1].endswith(" 1, and 27 more")
    assert " ".join(lines).count(" 1,") == 10
    assert len(set(" ".join(lines).split(" 1,"))) == 11  # each name is told from the others
    assert not any("\n" in line for line in lines)


def test_a_long_name_is_cut_in_the_middle_to_its_longest():
    names = ("a" * 24, "b" * 20 + "c" * 20)
    lines = describe_classes(data_of(np.zeros((2, 2, 2, 1)), np.arange(2), names))
    assert f"{'a' * 24} 1, {'b' * 14}…{'c' * 9} 1" in " ".join(line.strip() for line in lines)


def test_the_range_is_that_of_all_blocks(monkeypatch):
    monkeypatch.setattr(large, "BLOCK", 1)
    images = np.array([9, 255, 3], np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    assert "pixels from 3 to 255" in describe_pixels(images)


@pytest.mark.parametrize(
    ("channels", "values", "words"),
    [
        (1, [0, 255], "grey, training pixels from 0 to 255 (white is 255)"),
        (1, [0, 16], "grey, training pixels from 0 to 16 ("),
        (3, [7, 8, 9], "colour, training pixels from 7 to 9 ("),
        (3, [7], "grey in three equal channels, training pixels from 7 to 7 ("),
        (2, [0, 1], "2 channels, training pixels from 0 to 1 ("),
    ],
)
def test_the_range_and_the_kind_of_pixels_are_told(channels, values, words):
    images = np.resize(np.array(values, np.uint8), (5, 4, 4, channels))
    assert describe_pixels(images).startswith(words)
    lines = begin_lines("/runs/x", [0], [Config()], data_of(images))
    assert any(words in line for line in lines)
