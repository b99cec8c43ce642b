"""Every value of a recipe reaches the part that it is for; the optimiser against AdamW written out
in NumPy.
"""

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxae.build import (
    build_model,
    build_parts,
    build_step,
    epochs_left,
    finished,
    first_state,
)
from jaxae.config import Config
from jaxae.core.state import end_epoch

GRADIENTS = [np.array([3.0, -4.0, 0.5], np.float32), np.array([0.1, 0.2, -0.2], np.float32)]


def adamw(config: Config, start: np.ndarray) -> np.ndarray:
    """Two updates: clipping by the global norm, then Loshchilov & Hutter 2019, b1 0.9, eps 1e-8."""
    w, m, v = start.astype(np.float64), np.zeros(3), np.zeros(3)
    for t, gradient in enumerate(GRADIENTS, 1):
        g = gradient * min(1.0, config.clip_norm / float(np.linalg.norm(gradient)))
        m, v = 0.9 * m + 0.1 * g, config.adam_b2 * v + (1 - config.adam_b2) * g * g
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - config.adam_b2**t)) + 1e-8)
        w = w - config.learning_rate * (step + config.weight_decay * w)
    return w


@pytest.mark.parametrize(
    "values",
    [{}, {"learning_rate": 0.1}, {"weight_decay": 0.5}, {"clip_norm": 0.3}, {"adam_b2": 0.5}],
    ids=str,
)
def test_the_optimiser_is_the_recipes(values: dict[str, Any]):
    config = replace(Config(learning_rate=0.01), **values)
    optimizer = build_parts(config).optimizer
    start = np.array([1.0, -2.0, 3.0], np.float32)
    params = {"w": jnp.asarray(start)}
    state = optimizer.init(params)
    for gradient in GRADIENTS:
        updates, state = optimizer.update({"w": jnp.asarray(gradient)}, state, params)
        params = jax.tree.map(jnp.add, params, updates)
    np.testing.assert_allclose(params["w"], adamw(config, start), rtol=1e-5)
    if values:
        assert np.abs(adamw(config, start) - adamw(Config(learning_rate=0.01), start)).max() > 1e-4


def test_a_step_takes_the_recipes_values():
    recipe = Config(dropout_epochs=3, average_decay=0.5, neighbor_weight=0.25, noise_factor=0.125)
    step = build_step(recipe)
    assert (step.dropout_epochs, step.average_decay) == (3, 0.5)
    assert (step.neighbor_weight, step.noise) == (0.25, 0.125)


def test_the_floor_is_met_though_its_power_of_the_factor_is_rounded():
    """0.2 · 0.2 in float32 is above 0.04: the run ends there, and no further drop is told."""
    config = Config(
        plateau_factor=0.2,
        plateau_patience=2,
        min_scale=0.04,
        early_stop_patience=3,
        restore_best=False,
        widths=(8,),
    )
    state, ends, scales = first_state(config), [], set()
    end = jax.jit(functools.partial(end_epoch, plateau=build_parts(config).plateau))
    for _ in range(8):
        state, _ = end(state, jnp.float32(1.0))
        ends.append(finished(state, config))
        scales.add(float(state.plateau.scale))
    assert int(state.drop_epoch) == 5
    assert len(scales) == 3
    assert ends == [False] * 7 + [True]


def test_the_plateau_is_the_recipes():
    config = Config(plateau_factor=0.3, plateau_patience=2, min_scale=0.2, widths=(8,))
    state, scales = first_state(config), []
    end = jax.jit(functools.partial(end_epoch, plateau=build_parts(config).plateau))
    for _ in range(6):
        state, _ = end(state, jnp.float32(1.0))
        scales.append(round(float(state.plateau.scale), 5))
    assert scales == [1.0, 1.0, 0.3, 0.3, 0.2, 0.2]


def test_the_epochs_left_are_exact_where_nothing_improves_and_a_share_of_those_done_before():
    config = Config(
        plateau_factor=0.3, plateau_patience=2, min_scale=0.05, early_stop_patience=3, widths=(8,)
    )
    state = first_state(config)
    end = jax.jit(functools.partial(end_epoch, plateau=build_parts(config).plateau))
    state, _ = end(state, jnp.float32(1.0))
    left = [epochs_left(state, config)]
    while not finished(state, config):
        state, _ = end(state, jnp.float32(1.0))
        left.append(epochs_left(state, config))
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]  # three plateaus of 2, then 3

    early = state._replace(epoch=jnp.int32(60), plateau=first_state(config).plateau)
    assert epochs_left(early, config) == 60
    dropped = early._replace(plateau=early.plateau._replace(scale=jnp.float32(0.3)))
    assert epochs_left(dropped, config) == 40
    assert epochs_left(dropped, replace(config, epochs=70)) == 10


IMAGES = np.random.default_rng(0).random((64, 28, 28, 1), np.float32)


def test_dropout_silences_the_share_of_units_that_the_recipe_says():
    model = build_model(Config(dropout=(0.6, 0.0, 0.0), widths=(512, 256)))
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    options: Any = {
        "train": True,
        "rngs": {"dropout": jax.random.key(1)},
        "mutable": ["batch_stats", "intermediates"],
        "capture_intermediates": lambda module, _: module.name in ("dropout_0", "dropout_1"),
    }
    _, seen = jax.jit(lambda v, x: model.apply(v, x, **options))(variables, IMAGES)
    layers = seen["intermediates"]["encoder"]
    shares = [
        float((np.asarray(layers[name]["__call__"][0]) == 0).mean())
        for name in ("dropout_0", "dropout_1")
    ]
    assert shares[0] == pytest.approx(1 - 0.4 * 0.5, abs=0.03)  # ReLU silences half of the rest
    assert shares[1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_units_of_narrow_layers_begin_on_as_often_as_the_recipe_says(shift):
    """BatchNorm makes what comes before the shift about normal: the share that is above 0 after it
    is Φ(shift).
    """
    model = build_model(Config(narrow_shift=shift, widths=(32, 16, 4), dropout=(0.0, 0.0, 0.0)))
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    options: Any = {
        "train": True,
        "mutable": ["batch_stats", "intermediates"],
        "capture_intermediates": True,
    }
    _, seen = jax.jit(lambda v, x: model.apply(v, x, **options))(variables, IMAGES)
    encoder = [
        np.asarray(seen["intermediates"]["encoder"][f"dropout_{k}"]["__call__"][0])
        for k in range(3)
    ]
    assert (encoder[0] > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (encoder[1] > 0).mean() == pytest.approx(stats.norm.cdf(shift), abs=0.05)
    assert (encoder[2] > 0).mean() == pytest.approx(stats.norm.cdf(shift), abs=0.05)
    decoder = [
        layer["bias"]
        for name, layer in variables["params"]["decoder"].items()
        if name.startswith("batch_norm")
    ]
    assert {len(bias): set(bias.tolist()) for bias in decoder} == {
        4: {shift},
        16: {shift},
        32: {0.0},
    }
