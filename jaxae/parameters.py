"""The estimator's parameters as a recipe, and jaxae's errors as scikit-learn's."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from jaxae.config import Config
from jaxae.errors import InputError

OPTIONS = {field.name for field in fields(Config)}


def recipe_of(parameters: Mapping[str, Any], *, features: int, seed: int) -> Config:
    """The recipe of an estimator's get_params, for rows of so many features. Raises InputError."""
    given = {name: _plain(value) for name, value in parameters.items() if name in OPTIONS}
    latent_dim = _plain(parameters["n_components"])
    return Config(**given, dataset="X", image_shape=(1, features, 1), latent_dim=latent_dim, seed=seed)


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
