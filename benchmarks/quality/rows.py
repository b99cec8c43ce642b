"""Data sets as rows, to compare the estimator with others."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from jaxae.cli import messages
from jaxae.data.load import load_dataset
from jaxae.errors import InputError


class Rows(NamedTuple):
    """Training and test rows, f32[N, D] in [0, 1], their classes, and the classes' names."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    names: tuple[str, ...]


def load_rows(name: str) -> Rows:
    """Return scikit-learn's digits, of which 450 are test rows, or Fashion-MNIST."""
    if name == "digits":
        digits = load_digits()
        train, test, train_labels, test_labels = train_test_split(
            (digits.data / 16).astype(np.float32), digits.target, test_size=450, random_state=0
        )
        names = tuple(str(each) for each in digits.target_names)
        return Rows(train, train_labels, test, test_labels, names)

    if name != "fashion_mnist":
        raise InputError(f"dataset is {name}: give digits or fashion_mnist")
    data = load_dataset(name, report=messages.say)
    assert data.train.labels is not None
    assert data.test.labels is not None
    train, test = (
        (part.images.reshape(len(part.images), -1) / 255).astype(np.float32)
        for part in (data.train, data.test)
    )
    return Rows(train, data.train.labels, test, data.test.labels, data.class_names)
