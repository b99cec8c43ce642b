"""Our philox2x32 beside JAX's: the same bits for every use of a key."""

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
    np.testing.assert_array_equal(data(ours), data(theirs))
    for number in (0, 7, 2**31, 2**32 - 1):
        folded = (jax.random.fold_in(key, np.uint32(number)) for key in (ours, theirs))
        np.testing.assert_array_equal(*map(data, folded))
    np.testing.assert_array_equal(*(data(jax.random.split(key, (3, 5))) for key in (ours, theirs)))
    for kind in (jnp.uint8, jnp.uint16, jnp.uint32):
        np.testing.assert_array_equal(*(jax.random.bits(key, (7, 1001), kind) for key in (ours, theirs)))
    np.testing.assert_array_equal(*(jax.random.normal(key, (33, 784)) for key in (ours, theirs)))
    np.testing.assert_array_equal(*(jax.random.permutation(key, 5000) for key in (ours, theirs)))


def test_keys_of_many_members_are_drawn_from_one_by_one():
    ours, theirs = (jax.random.split(jax.random.key(3, impl=impl), 4) for impl in (PHILOX, "philox2x32"))
    draw = jax.vmap(lambda key: jax.random.bits(jax.random.fold_in(key, 3), (5,)))
    np.testing.assert_array_equal(draw(ours), draw(theirs))
