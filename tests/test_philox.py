"""Our philox2x32 beside JAX's: the same bits for every use of a key."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.philox import PHILOX


def data(key: jax.Array) -> np.ndarray:
    return np.asarray(jax.random.key_data(key))


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**31 - 1, 2**31, 2**32 - 1])
def test_keys_and_draws_are_jaxs(seed):
    ours, theirs = jax.random.key(seed, impl=PHILOX), jax.random.key(seed, impl="philox2x32")
    uses: list[Callable[[jax.Array], Any]] = [
        data,
        *(lambda key, number=number: data(jax.random.fold_in(key, np.uint32(number))) for number in (0, 7, 2**31, 2**32 - 1)),
        lambda key: data(jax.random.split(key, (3, 5))),
        *(lambda key, kind=kind: jax.random.bits(key, (7, 1001), kind) for kind in (jnp.uint8, jnp.uint16, jnp.uint32)),
        lambda key: jax.random.normal(key, (33, 784)),
        lambda key: jax.random.permutation(key, 5000),
    ]
    for use in uses:
        np.testing.assert_array_equal(use(ours), use(theirs))


def test_keys_of_many_members_are_drawn_from_one_by_one():
    ours, theirs = (jax.random.split(jax.random.key(3, impl=impl), 4) for impl in (PHILOX, "philox2x32"))
    draw = jax.vmap(lambda key: jax.random.bits(jax.random.fold_in(key, 3), (5,)))
    np.testing.assert_array_equal(draw(ours), draw(theirs))
