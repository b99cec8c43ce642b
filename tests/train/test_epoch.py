"""What an epoch evaluates: the same noise every time, the averaged weights, statistics of training
images alone.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import build_model, first_state
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import to_unit
from jaxae.core.neighbours import nearest_neighbours
from jaxae.core.rng import Stream, derive, root_key
from jaxae.core.state import TrainState, model_variables, stack_members, take_member
from jaxae.core.step import eval_step
from jaxae.data.load import synthetic_dataset
from jaxae.train.epoch import EpochResult, compile_epoch
from jaxae.train.sharding import Placement

CONFIG = Config(
    dataset="synthetic", batch_size=64, statistics_images=200, average_decay=0.9, widths=(32, 8)
)
ALIVE = np.array([True])


@pytest.fixture(scope="module")
def state() -> TrainState:
    """A first state whose averaged weights are others than its weights, at a rate of 0: its weights
    stay as they are.
    """
    first = first_state(CONFIG)
    average, late = (
        first_state(replace(CONFIG, seed=1)).params,
        jnp.int32(1000),
    )  # late: an average is quick at first
    return first._replace(
        average=average, step=late, plateau=first.plateau._replace(scale=jnp.float32(0))
    )


@pytest.fixture(scope="module")
def run_epoch(dataset):
    """An epoch of one member; it does not donate the state that it is given."""
    compiled = compile_epoch([CONFIG], dataset, Placement())

    def run(state: TrainState) -> tuple[TrainState, EpochResult]:
        after, result = compiled(stack_members([state]), ALIVE)
        return take_member(after, 0), result

    return run


def test_validation_noise_and_statistics_are_the_same_in_every_epoch(run_epoch, state):
    """Of weights that stay.

    The averaged ones move towards them, so they are set back, and the rate, which has a floor.
    """
    first, one = run_epoch(state)
    again = first._replace(average=state.average, step=state.step, plateau=state.plateau)
    second, two = run_epoch(again)
    assert (int(first.epoch), int(second.epoch)) == (1, 2)
    assert one.validation_loss == two.validation_loss
    assert one.train_loss != two.train_loss  # the order is another
    same = jax.tree.map(lambda a, b: bool((a == b).all()), first.batch_stats, second.batch_stats)
    assert all(jax.tree.leaves(same))


def test_what_is_validated_are_the_averaged_weights_on_noisy_images(run_epoch, state, dataset):
    after, result = run_epoch(state)
    clean = to_unit(dataset.validation.images)
    noisy = add_gaussian_noise(derive(state.key, Stream.VALIDATION), clean, std=CONFIG.noise_factor)
    model, losses = build_model(CONFIG), {}
    for name, params in (("averaged", after.average), ("plain", after.params)):
        error = (
            np.asarray(
                model.apply({"params": params, "batch_stats": after.batch_stats}, noisy), np.float64
            )
            - clean
        )
        losses[name] = (error**2).mean() + np.abs(error).mean()
    np.testing.assert_allclose(result.validation_loss, losses["averaged"], rtol=1e-3)
    assert abs(losses["plain"] - losses["averaged"]) > 0.01 * losses["averaged"]


@pytest.mark.parametrize(("size", "blocks"), [(50, 1), (13, 4)])
def test_a_validation_in_blocks_is_that_of_all_images_at_once(
    size, blocks, state, dataset, monkeypatch
):
    """Each block has noise of its own; the last of four blocks of 13 is filled up.

    Errors of an image may differ by rounding: a product of other shapes adds in another order.
    """
    monkeypatch.setattr("jaxae.train.epoch.BLOCK", size * 784)
    run = compile_epoch([CONFIG], dataset, Placement()).validation_errors
    found = run(stack_members([state]))

    images = dataset.validation.images
    clean = np.resize(to_unit(images), (blocks * size, 28, 28, 1)).reshape(blocks, size, 28, 28, 1)
    noisy = [
        add_gaussian_noise(
            derive(state.key, Stream.VALIDATION, number), block, std=CONFIG.noise_factor
        )
        for number, block in enumerate(clean)
    ]
    expected = eval_step(
        model_variables(state),
        jnp.concatenate(noisy)[:50],
        jnp.asarray(images),
        model=build_model(CONFIG),
    )
    for errors, whole in zip(found, expected, strict=True):
        assert errors.shape == (1, 50)
        np.testing.assert_allclose(errors[0], whole, rtol=1e-5)


def test_statistics_are_of_training_images(run_epoch, state, dataset):
    """Other validation images change no statistics, and other training images do."""
    first, _ = run_epoch(state)
    for part, changes in (("validation", False), ("train", True)):
        dark = getattr(dataset, part)._replace(images=getattr(dataset, part).images // 2)
        other, _ = compile_epoch([CONFIG], dataset._replace(**{part: dark}), Placement())(
            stack_members([state]), ALIVE
        )
        same = jax.tree.map(
            lambda a, b: bool((a == b[0]).all()), first.batch_stats, other.batch_stats
        )
        assert all(jax.tree.leaves(same)) == (not changes)


def test_images_in_class_order_train_as_well_as_mixed_ones():
    """The order of training is drawn in both; the statistics are of all classes in both."""
    recipe = replace(CONFIG, learning_rate=3e-3, statistics_images=1000)
    mixed = synthetic_dataset(root_key(1), train=1800, test=20)
    by_class = np.argsort(np.asarray(mixed.train.labels), kind="stable")
    in_order = mixed._replace(train=mixed.train.take(by_class))

    losses = []
    for data in (mixed, in_order):
        epoch = compile_epoch([recipe], data, Placement())
        states = stack_members([first_state(recipe)])
        for _ in range(4):
            states, result = epoch(states, ALIVE)
        losses.append(float(result.validation_loss[0]))
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)


def test_a_validation_loss_that_is_no_number_is_noticed_where_all_training_losses_are_finite(
    run_epoch, state
):
    broken = state._replace(average=jax.tree.map(lambda x: x * jnp.nan, state.average))
    _, result = run_epoch(broken)
    assert np.isfinite(result.train_loss).all()
    assert not result.finite[0]
    assert result.broken_step[0] == 0
    assert not result.best[0]


def test_running_statistics_stay_where_the_recipe_keeps_them(state, dataset):
    """They are the statistics of the steps, not new ones."""
    config = replace(CONFIG, statistics_images=0)
    after, _ = compile_epoch([config], dataset, Placement())(stack_members([state]), ALIVE)
    fresh, _ = compile_epoch([replace(config, statistics_images=200)], dataset, Placement())(
        stack_members([state]), ALIVE
    )
    differ = jax.tree.map(lambda a, b: bool((a != b).any()), after.batch_stats, fresh.batch_stats)
    assert any(jax.tree.leaves(differ))


def test_the_neighbour_term_and_its_weight_are_the_recipes(dataset):
    """Without the weight, and with two others, an epoch of the same batches ends elsewhere."""
    neighbours = nearest_neighbours(dataset.train.images, count=5)
    kernels = []
    for weight in (1e-9, 1.0, 5.0):
        recipe = replace(CONFIG, neighbor_weight=weight)
        after, _ = compile_epoch([recipe], dataset, Placement(), neighbours=neighbours)(
            stack_members([first_state(recipe)]), ALIVE
        )
        kernels.append(np.asarray(after.params["encoder"]["dense_2"]["kernel"]))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(kernels[one] - kernels[other]).max() > 1e-4


def test_steps_in_bfloat16_are_other_steps_and_the_evaluation_stays_in_float32(state, dataset):
    """At a rate of 0 the weights are the same after both, so the same losses are measured, to the
    bit.
    """
    rounded = compile_epoch([replace(CONFIG, matmul_dtype="bfloat16")], dataset, Placement())
    exact = compile_epoch([CONFIG], dataset, Placement())
    results = [run(stack_members([state]), ALIVE)[1] for run in (rounded, exact)]
    assert results[0].validation_loss == results[1].validation_loss
    assert results[0].train_loss != results[1].train_loss
    np.testing.assert_allclose(results[0].train_loss, results[1].train_loss, rtol=1e-2)
