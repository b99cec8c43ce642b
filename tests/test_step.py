import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.data import epoch_order
from jaxae.rng import Stream, derive, root_key
from jaxae.state import build_parts, init_state, model_variables
from jaxae.step import end_epoch, eval_step, to_unit, train_epoch, train_step

BATCH = 64


@pytest.fixture(scope="module")
def bound():
    """The recipe's parts, a first state, and the jitted steps."""
    from jaxae.config import Config

    config = Config(noise_factor=0.25, learning_rate=3e-3)
    parts = build_parts(config)
    options = {"model": parts.model, "optimizer": parts.optimizer, "noise_factor": config.noise_factor}
    state = jax.jit(functools.partial(init_state, parts=parts))(root_key(0, impl="philox2x32"))
    step = jax.jit(functools.partial(train_step, **options))
    epoch = jax.jit(functools.partial(train_epoch, batch_size=BATCH, **options))
    return parts, state, step, epoch


def test_an_epoch_is_the_steps_one_after_another(bound, dataset):
    """Losses agree to rounding; parameters are not compared, since AdamW turns a rounding error into a whole step."""
    _, state, step, epoch = bound
    images = jnp.asarray(dataset.train.images)
    order = epoch_order(derive(state.key, Stream.ORDER, 0), len(images), batch_size=BATCH)
    walked, losses = state, []
    for batch in order:
        walked, loss = step(walked, images[batch])
        losses.append(float(loss))
    scanned, scanned_losses = epoch(state, images)
    assert int(scanned.step) == int(walked.step) == len(images) // BATCH
    np.testing.assert_allclose(scanned_losses, losses, rtol=1e-3)  # rounding grows from step to step


def test_same_bits_twice_and_other_bits_with_another_key(bound, dataset):
    _, state, _, epoch = bound
    images = jnp.asarray(dataset.train.images)
    first, second = epoch(state, images), epoch(state, images)
    other = epoch(state._replace(key=root_key(1, impl="philox2x32")), images)
    assert (first[1] == second[1]).all()
    assert (first[1] != other[1]).all()
    same = jax.tree.map(lambda a, b: bool((a == b).all()), first[0].params, second[0].params)
    assert all(jax.tree.leaves(same))


def test_noise_and_dropout_are_fresh_at_every_step(bound, dataset):
    _, state, step, _ = bound
    images = jnp.asarray(dataset.train.images[:BATCH])
    losses = {float(step(state._replace(step=jnp.int32(i)), images)[1]) for i in range(5)}
    assert len(losses) == 5


def test_training_learns(bound, dataset):
    _, state, _, epoch = bound
    images = jnp.asarray(dataset.train.images)
    losses = []
    for number in range(12):
        state, steps = epoch(state._replace(epoch=jnp.int32(number)), images)
        losses.append(float(steps.mean()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_plateau_scale_of_zero_moves_no_parameter(bound, dataset):
    _, state, step, _ = bound
    frozen = state._replace(plateau=state.plateau._replace(scale=jnp.float32(0)))
    after, _ = step(frozen, jnp.asarray(dataset.train.images[:BATCH]))
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), after.params, state.params)))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), after.batch_stats, state.batch_stats)
    assert any(jax.tree.leaves(moved))


def test_the_target_is_clean_and_the_input_is_not(bound, dataset):
    """Black images have loss mean(o² + o) exactly, whatever the noise on the input was."""
    parts, state, step, _ = bound
    black = jnp.zeros((BATCH, 28, 28), jnp.uint8)
    _, loss = step(state, black)
    rngs = {"dropout": derive(state.key, Stream.DROPOUT, 0)}
    noise = jnp.clip(0.25 * jax.random.normal(derive(state.key, Stream.NOISE, 0), black.shape), 0, 1)
    output, _ = parts.model.apply(model_variables(state), noise, train=True, rngs=rngs, mutable=["batch_stats"])
    np.testing.assert_allclose(loss, jnp.mean(output**2 + output), rtol=1e-4)


def test_eval_step_is_per_image_and_uses_running_statistics(bound, dataset):
    parts, state, _, _ = bound
    images = dataset.test.images
    noisy = np.asarray(to_unit(images))
    run = jax.jit(functools.partial(eval_step, model=parts.model))
    whole = run(model_variables(state), noisy, images)
    part = run(model_variables(state), noisy[7:9], images[7:9])
    assert {name: values.shape for name, values in whole.items()} == dict.fromkeys(("loss", "mse", "mae"), (103,))
    for name in whole:
        np.testing.assert_allclose(whole[name][7:9], part[name], rtol=1e-5)
    np.testing.assert_allclose(whole["loss"], whole["mse"] + whole["mae"], rtol=1e-5)


@pytest.mark.parametrize(
    ("losses", "best", "best_epoch"),
    [
        ([3.0, 2.0, 1.0], 1.0, 3),
        ([1.0, 2.0, 3.0], 1.0, 1),
        ([2.0, 1.0, 1.0], 1.0, 2),  # a tie keeps the earlier epoch
        ([2.0, float("nan"), 3.0], 2.0, 1),
    ],
)
def test_end_epoch_keeps_the_lowest_loss_and_its_epoch(bound, losses, best, best_epoch):
    parts, state, _, _ = bound
    improvements = []
    for loss in losses:
        state, improved = end_epoch(state, jnp.float32(loss), plateau=parts.plateau)
        improvements.append(bool(improved))
    assert float(state.best_loss) == best
    assert int(state.best_epoch) == best_epoch
    assert int(state.epoch) == 3
    assert improvements[0]


def test_bytes_become_the_unit_interval():
    np.testing.assert_allclose(to_unit(jnp.arange(256, dtype=jnp.uint8)), np.arange(256) / 255, rtol=1e-6)
