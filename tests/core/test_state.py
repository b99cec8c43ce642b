import functools

import jax
import numpy as np

from jaxae.build import build_parts, first_state
from jaxae.core.state import init_state
from jaxae.rng import root_key


def test_state_is_arrays_alone_each_with_a_buffer_of_its_own(config):
    state = first_state(config)
    leaves = jax.tree.leaves(state)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    donated = jax.jit(lambda state: state, donate_argnums=0)(state)  # fails where two leaves share a buffer
    assert str(jax.tree.structure(donated)) == str(jax.tree.structure(state))


def test_key_decides_the_parameters_and_is_kept(config):
    make = jax.jit(functools.partial(init_state, parts=build_parts(config)))
    first, again, other = (make(root_key(seed)) for seed in (0, 0, 1))
    kernel = lambda state: np.asarray(state.params["encoder"]["Layer_0"]["Dense_0"]["kernel"])  # noqa: E731
    assert (kernel(first) == kernel(again)).all()
    assert (kernel(first) != kernel(other)).mean() > 0.99
    assert (jax.random.key_data(first.key) == jax.random.key_data(root_key(0))).all()
    assert first.best_loss == np.inf
