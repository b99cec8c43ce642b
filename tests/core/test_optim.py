import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxae.core.optim import clip_by_global_norm, make_optimizer, make_plateau, pack_small


def scales(losses, **options) -> list[float]:
    plateau = make_plateau(**{"factor": 0.5, "patience": 2, "min_scale": 0.1} | options)
    update = jax.jit(lambda state, loss: plateau.update({}, state, value=loss)[1])
    state = plateau.init(jnp.zeros(1))
    out = []
    for loss in losses:
        state = update(state, jnp.float32(loss))
        out.append(float(state.scale))
    return out


def test_patience_counts_epochs_without_improvement():
    assert scales([1.0, 1.0, 1.0]) == [1.0, 1.0, 0.5]
    assert scales([1.0, 0.9, 0.8, 0.9, 0.7]) == [1.0] * 5


def test_an_improvement_below_the_threshold_is_none():
    assert scales([1.0, 0.9996, 0.9996])[-1] == 0.5
    assert scales([1.0, 0.9994, 0.9988])[-1] == 1.0


def test_floor():
    np.testing.assert_allclose(scales([1.0] * 11)[-1], 0.1)


def test_not_a_number_is_no_improvement():
    assert scales([1.0, float("nan"), float("nan")])[-1] == 0.5


def test_first_step_of_clipped_adamw_by_hand():
    """Adam's first step is the gradient's sign; the decay is decoupled: lr · (sign + decay · p)."""
    optimizer = make_optimizer(learning_rate=0.1, weight_decay=0.5, clip_norm=1.0)
    params, gradient = jnp.array([2.0, -4.0]), jnp.array([300.0, -400.0])
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates, [-0.1 * (1 + 1), 0.1 * (1 + 2)], rtol=1e-5)


def test_clipping_is_by_the_norm_of_all_leaves():
    """Adam forgets the scale of a gradient, but not of one step against the next."""
    optimizer = make_optimizer(learning_rate=0.1, weight_decay=0.0, clip_norm=5.0)
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    _, state = optimizer.update(
        {"a": jnp.array([30.0]), "b": jnp.array([40.0])}, optimizer.init(params), params
    )
    first_moments = np.concatenate(jax.tree.leaves(state[1][0].mu))
    np.testing.assert_allclose(first_moments, [0.1 * 3, 0.1 * 4], rtol=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e4])
def test_clipping_agrees_with_optax(size):
    gradients = {"a": size * jnp.arange(6.0).reshape(2, 3), "b": jnp.array(-size)}
    ours, theirs = (
        clip.update(gradients, clip.init({}))
        for clip in (clip_by_global_norm(1.0), optax.clip_by_global_norm(1.0))
    )
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), ours[0], theirs[0])


def test_packing_changes_no_bit_of_an_elementwise_update():
    """Leaves below the size and of it, a scalar and an odd order of shapes; three steps, so that
    the state is used.
    """
    rng = np.random.default_rng(0)
    shapes = {"b": (3, 2), "a": (20, 10), "d": (), "c": {"x": (7,), "y": (2, 100)}}

    def draw():
        return jax.tree.map(
            lambda s: jnp.asarray(rng.normal(size=s), jnp.float32),
            shapes,
            is_leaf=lambda x: isinstance(x, tuple),
        )

    plain = optax.adamw(
        1e-2, weight_decay=0.1
    )  # not jitted: fused, the two would round on their own
    packed = pack_small(plain, size=200)
    params = draw()
    states = plain.init(params), packed.init(params)
    assert len(jax.tree.leaves(states[1][0].mu)) == 3  # two large leaves, one vector
    for gradient in (draw(), draw(), draw()):
        expected, first = plain.update(gradient, states[0], params)
        updates, second = packed.update(gradient, states[1], params)
        states = first, second
        jax.tree.map(np.testing.assert_array_equal, updates, expected)
