import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import build_parts, first_state
from jaxae.core.optim import make_plateau
from jaxae.core.rng import root_key
from jaxae.core.state import end_epoch, init_state, stack_members


def test_state_is_arrays_alone_each_with_a_buffer_of_its_own(config):
    state = first_state(config)
    leaves = jax.tree.leaves(state)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    donated = jax.jit(lambda state: state, donate_argnums=0)(
        state
    )  # fails where two leaves share a buffer
    assert str(jax.tree.structure(donated)) == str(jax.tree.structure(state))


def test_key_decides_the_parameters_and_is_kept(config):
    make = jax.jit(functools.partial(init_state, parts=build_parts(config)))
    first, again, other = (make(root_key(seed)) for seed in (0, 0, 1))
    kernel = lambda state: np.asarray(state.params["encoder"]["dense_0"]["kernel"])  # noqa: E731
    assert (kernel(first) == kernel(again)).all()
    assert (kernel(first) != kernel(other)).mean() > 0.99
    assert (jax.random.key_data(first.key) == jax.random.key_data(root_key(0))).all()
    assert first.best_loss == np.inf


@pytest.mark.parametrize(
    ("losses", "best", "best_epoch"),
    [
        ([3.0, 2.0, 1.0], 1.0, 3),
        ([1.0, 2.0, 3.0], 1.0, 1),
        ([2.0, 1.0, 1.0], 1.0, 2),  # a tie keeps the earlier epoch
        ([2.0, float("nan"), 3.0], 2.0, 1),
    ],
)
def test_end_epoch_keeps_the_lowest_loss_and_its_epoch(config, losses, best, best_epoch):
    state, end = (
        first_state(config),
        jax.jit(functools.partial(end_epoch, plateau=build_parts(config).plateau)),
    )
    improvements = []
    for loss in losses:
        state, improved = end(state, jnp.float32(loss))
        improvements.append(bool(improved))
    assert float(state.best_loss) == best
    assert int(state.best_epoch) == best_epoch
    assert int(state.epoch) == 3
    assert improvements[0]


def test_end_epoch_notes_at_whose_end_the_rate_fell(config):
    state = first_state(config)
    end = jax.jit(
        functools.partial(end_epoch, plateau=make_plateau(factor=0.5, patience=2, min_scale=0.5))
    )
    drops = []
    for _ in range(7):
        state, _ = end(state, jnp.float32(1.0))
        drops.append((int(state.drop_epoch), float(state.plateau.scale)))
    assert drops == [(0, 1.0), (0, 1.0), *[(3, 0.5)] * 5]  # at the floor it falls no further


def test_where_the_rate_falls_a_state_that_keeps_its_best_goes_back_to_it_and_others_do_not(config):
    """Two members: the rate of the first falls at the end of epoch 4, two after its best; the other
    gets better.
    """
    recipe, trained = (
        replace(config, restore_best=True),
        ("params", "batch_stats", "opt_state", "average"),
    )
    plateau = make_plateau(factor=0.5, patience=2, min_scale=0.1)
    end = jax.jit(jax.vmap(functools.partial(end_epoch, plateau=plateau)))
    state = stack_members([first_state(recipe)] * 2)
    for epoch, losses in enumerate([(3.0, 4.0), (2.0, 3.0), (2.5, 2.0), (2.5, 1.0)], start=1):
        values = {
            name: jax.tree.map(lambda leaf, n=epoch: jnp.full_like(leaf, n), getattr(state, name))
            for name in trained
        }
        state, _ = end(state._replace(step=state.step + 10, **values), jnp.float32(losses))
    assert state.drop_epoch.tolist() == [4, 0]
    assert state.step.tolist() == [40, 40]
    assert state.epoch.tolist() == [4, 4]
    for name in trained:
        for leaf in jax.tree.leaves(getattr(state, name)):
            assert [set(np.ravel(member).tolist()) for member in leaf] == [{2}, {4}], name
