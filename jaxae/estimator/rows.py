"""Rows of numbers as images of height 1: their scale, data set, and recipe."""

import contextlib
import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxae.config import Config
from jaxae.core.images import DARKEST, check_mask
from jaxae.data.dataset import Dataset, Split
from jaxae.errors import InputError

FEWEST_HELD_OUT = 10

BATCHES = 8
"""That fewer rows than a batch are repeated to fill."""

NARROW = 0.01
"""Share of the range of fit: rows that span less are likely of other units, as bytes over 255."""

OPTIONS = {field.name for field in fields(Config)}


class Scale(NamedTuple):
    """The values at 0 and at 1: one pair for all features, so that distances keep proportion."""

    low: Any
    high: Any

    @property
    def span(self) -> Any:
        """high - low, or 1 where all values are the same."""
        return (self.high - self.low) or self.low.dtype.type(1)

    def unit(self, X: np.ndarray) -> np.ndarray:
        """Return X with low at 0 and high at 1."""
        return (X.astype(self.low.dtype) - self.low) / self.span

    def back(self, images: np.ndarray) -> np.ndarray:
        """Undo unit, and return rows."""
        return images.reshape(len(images), -1) * self.span + self.low


def scale_of(X: np.ndarray) -> Scale:
    """Return the lowest and the highest value, in X's own precision; but 0 and 255 for pixels.

    Pixels are uint8, unless all are so low that they are numbers of another scale.
    """
    if X.dtype != np.uint8:
        return Scale(X.min(), X.max())
    if X.max() > DARKEST:
        return Scale(np.float32(0), np.float32(255))
    return Scale(np.float32(X.min()), np.float32(X.max()))


def range_warning(X: np.ndarray, scale: Scale) -> str | None:
    """Return a warning if the range of X is far from that of fit, as in other units; or None."""
    low, high = scale.unit(np.array([X.min(), X.max()]))
    beyond = low < -1 or high > 2
    narrow = 0 < high - low < NARROW
    if not (beyond or narrow):
        return None
    return (
        f"X has values from {X.min():g} to {X.max():g}, and fit was given {scale.low:g} to "
        f"{scale.high:g}: give X in the units that it had in fit"
    )


def as_images(X: np.ndarray) -> np.ndarray:
    """Reshape [N, features] to [N, 1, features, 1]."""
    return X.reshape(len(X), 1, -1, 1)


def held_out(count: int, fraction: float) -> int:
    """Return how many rows are held out for validation: none if that is fewer than 10.

    Raises InputError.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"validation_fraction is {fraction}: give 0 or more, and less than 1")
    share = int(fraction * count)
    return share if share >= FEWEST_HELD_OUT else 0


def as_dataset(
    train: np.ndarray, validation: np.ndarray, *, scale: Scale, batch_size: int
) -> Dataset:
    """Return the rows as train.loop takes them.

    Fewer training rows than a batch are repeated; if the same rows validate, they do so as often.
    """
    repeated = as_images(_on_bytes(_repeated(train, batch_size), scale))
    held = repeated if validation is train else as_images(_on_bytes(validation, scale))
    return Dataset("X", "X", "", Split(repeated), Split(held), Split(held[:0]))


def recipe_of(parameters: Mapping[str, Any], *, features: int, seed: int) -> Config:
    """Return the recipe of an estimator's get_params. Raises InputError."""
    given = {name: _plain(value) for name, value in parameters.items() if name in OPTIONS}
    components = _plain(parameters["n_components"])
    if not is_whole_number(components) or components < 1:
        raise InputError(f"n_components is {components!r}: give a whole number of 1 or more")
    return Config(
        **given,
        dataset="X",
        image_shape=(1, features, 1),
        latent_dim=components,
        matmul_dtype="float32",  # whatever the processor: of small tables products take little time
        seed=seed,
    )


def is_whole_number(value: Any) -> bool:
    """Return whether a value is an int, Python's or NumPy's, and no bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


@contextlib.contextmanager
def value_errors() -> Iterator[None]:
    """Raise InputErrors as the ValueErrors that scikit-learn's users expect."""
    try:
        yield
    except InputError as error:
        raise ValueError(str(error)) from None


def check_unmasked(name: str, values: ArrayLike) -> None:
    """Raise ValueError for masked values, of which scikit-learn takes what lies under the mask."""
    with value_errors():
        check_mask(name, values)


def _on_bytes(X: np.ndarray, scale: Scale) -> np.ndarray:
    """Return pixels as they are; numbers as f32 from 0 to 255, since a step divides by 255."""
    if X.dtype == np.uint8 and scale.high == 255:
        return X
    return (255 * scale.unit(X)).astype(np.float32)


def _repeated(X: np.ndarray, batch_size: int) -> np.ndarray:
    """Return fewer rows than a batch repeated, to fill exactly BATCHES.

    Then all such sets have one shape, and one compiled program. Of two rows one counts at most an
    eighth more.
    """
    if len(X) >= batch_size:
        return X
    return np.resize(X, (BATCHES * batch_size, X.shape[1]))


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays, which parameter grids give, as Python's."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return tuple(_plain(each) for each in value)
    return value.item() if isinstance(value, np.generic) else value
