"""Rows of numbers as images of height 1, for the estimator: their scale and their data set."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from jaxae.config import Config
from jaxae.data.dataset import Dataset, Split
from jaxae.errors import InputError

FEWEST_HELD_OUT = 10
BATCHES = 8
"""Of an epoch, at least: with fewer, the learning rate would fall before the weights have moved."""


class Scale(NamedTuple):
    """What [0, 1] stands for: one pair for all features, so that distances between rows keep their proportions."""

    low: Any
    high: Any

    @property
    def span(self) -> Any:
        """high - low, or 1 where all values are the same."""
        return (self.high - self.low) or self.low.dtype.type(1)

    def unit(self, X: np.ndarray) -> np.ndarray:
        """X with low at 0 and high at 1."""
        return (X.astype(self.low.dtype) - self.low) / self.span

    def back(self, images: np.ndarray) -> np.ndarray:
        """unit's inverse, as rows."""
        return images.reshape(len(images), -1) * self.span + self.low


def scale_of(X: np.ndarray) -> Scale:
    """0 and 255 for uint8, else the lowest and the highest value, in X's own precision."""
    return Scale(np.float32(0), np.float32(255)) if X.dtype == np.uint8 else Scale(X.min(), X.max())


def as_images(X: np.ndarray) -> np.ndarray:
    """[N, features] → [N, 1, features, 1]."""
    return X.reshape(len(X), 1, -1, 1)


def held_out(count: int, fraction: float) -> int:
    """How many of so many rows are held out for validation: none where that would be fewer than 10. Raises InputError."""
    if not 0 <= fraction < 1:
        raise InputError(f"validation_fraction is {fraction}: give 0 or more, and less than 1")
    share = int(fraction * count)
    return share if share >= FEWEST_HELD_OUT else 0


def as_dataset(
    train: np.ndarray, validation: np.ndarray, *, scale: Scale, batch_size: int
) -> Dataset:
    """The rows for train.loop. Few training rows are repeated; where the same validate, they do so as often."""
    repeated = as_images(_on_bytes(_repeated(train, batch_size), scale))
    held = repeated if validation is train else as_images(_on_bytes(validation, scale))
    return Dataset("X", "X", "", Split(repeated), Split(held), Split(held[:0]))


def _on_bytes(X: np.ndarray, scale: Scale) -> np.ndarray:
    """uint8 as it is; numbers as f32 from 0 to 255, since the first line of a step divides by 255."""
    return X if X.dtype == np.uint8 else (255 * scale.unit(X)).astype(np.float32)


def _repeated(X: np.ndarray, batch_size: int) -> np.ndarray:
    """All rows equally often, so that they fill BATCHES or more; less than one batch of them is cut to exactly BATCHES.

    Then all small sets have one shape, and one compiled program; of two rows one counts at most an eighth more.
    """
    enough = BATCHES * batch_size
    size = enough if len(X) < batch_size else -(-enough // len(X)) * len(X)
    return X if size == len(X) else np.resize(X, (size, X.shape[1]))


OPTIONS = {field.name for field in fields(Config)}


def recipe_of(parameters: Mapping[str, Any], *, features: int, seed: int) -> Config:
    """The recipe of an estimator's get_params, for rows of so many features. Raises InputError."""
    given = {name: _plain(value) for name, value in parameters.items() if name in OPTIONS}
    latent_dim = _plain(parameters["n_components"])
    return Config(
        **given, dataset="X", image_shape=(1, features, 1), latent_dim=latent_dim, seed=seed
    )


@contextlib.contextmanager
def value_errors() -> Iterator[None]:
    """InputErrors as ValueErrors, which scikit-learn's users expect, with its names."""
    try:
        yield
    except InputError as error:
        raise ValueError(str(error).replace("latent_dim", "n_components")) from None


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, which parameter grids give, as Python's."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return tuple(_plain(each) for each in value)
    return value.item() if isinstance(value, np.generic) else value
