import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from jaxae.build import build_parts, build_step
from jaxae.core.corruption import add_training_noise
from jaxae.core.images import to_unit
from jaxae.core.rng import Stream, derive, root_key
from jaxae.core.state import init_state, model_variables
from jaxae.core.step import (
    NEIGHBOR_STEPS,
    StepOptions,
    batch_statistics,
    epoch_order,
    eval_step,
    state_order,
    train_epoch,
    train_step,
)

BATCH = 64


@pytest.fixture(scope="module")
def bound():
    """The recipe's parts, a first state, and the jitted steps."""
    from jaxae.config import Config

    config = Config(noise_factor=0.25, learning_rate=3e-3, average_decay=0.0, widths=(64, 16))
    parts = build_parts(config)
    options = build_step(config)
    state = jax.jit(functools.partial(init_state, parts=parts))(root_key(0))
    step = jax.jit(functools.partial(train_step, options=options))
    epoch = jax.jit(functools.partial(train_epoch, batch_size=BATCH, options=options))
    return parts, state, step, epoch


def test_an_epoch_is_the_steps_one_after_another(bound, dataset):
    """Losses agree to rounding; parameters are not compared, since AdamW turns a rounding error
    into a whole step.
    """
    _, state, step, epoch = bound
    images = jnp.asarray(dataset.train.images)
    order = epoch_order(derive(state.key, Stream.ORDER, 0), len(images), batch_size=BATCH)
    walked, losses = state, []
    for batch in order:
        walked, loss = step(walked, images[batch])
        losses.append(float(loss))
    scanned, scanned_losses = epoch(state, images)
    assert int(scanned.step) == int(walked.step) == len(order)
    np.testing.assert_allclose(
        scanned_losses, losses, rtol=1e-3
    )  # rounding grows from step to step


def test_same_bits_twice_and_other_bits_with_another_key(bound, dataset):
    _, state, _, epoch = bound
    images = jnp.asarray(dataset.train.images)
    first, second = epoch(state, images), epoch(state, images)
    other = epoch(state._replace(key=root_key(1)), images)
    assert (first[1] == second[1]).all()
    assert (first[1] != other[1]).all()
    same = jax.tree.map(lambda a, b: bool((a == b).all()), first[0].params, second[0].params)
    assert all(jax.tree.leaves(same))


@pytest.mark.parametrize(("noise_factor", "dropout"), [(0.25, ()), (0.0, (0.2, 0.2, 0.1))])
def test_noise_and_dropout_alone_are_fresh_at_every_step(noise_factor, dropout, bound, dataset):
    """Of the step and of nothing else: the same in another epoch, which counts no steps."""
    parts, state, _, _ = bound
    options = StepOptions(parts.model.clone(dropout=dropout), parts.optimizer, noise_factor)
    step = jax.jit(functools.partial(train_step, options=options))
    images = jnp.asarray(dataset.train.images[:BATCH])
    losses = [float(step(state._replace(step=jnp.int32(i)), images)[1]) for i in range(4)]
    assert len(set(losses)) == 4
    assert float(step(state._replace(epoch=jnp.int32(3)), images)[1]) == losses[0]


def test_dropout_ends_after_its_epochs(bound, dataset):
    parts, state, _, _ = bound
    images = jnp.asarray(dataset.train.images[:BATCH])

    def gradients(dropout: tuple[float, ...], *, epoch: int) -> np.ndarray:
        """The first step's change of the first kernel: one descent along its gradient."""
        descent = optax.stateless(lambda gradients, _: gradients)
        options = StepOptions(parts.model.clone(dropout=dropout), descent, 0.25, dropout_epochs=2)
        began = state._replace(epoch=jnp.int32(epoch), opt_state=descent.init(state.params))
        after, _ = jax.jit(functools.partial(train_step, options=options))(began, images)
        return np.asarray(after.params["encoder"]["dense_1"]["kernel"])

    rates = (0.2, 0.2, 0.1)
    assert (gradients(rates, epoch=1) != gradients((), epoch=1)).any()
    np.testing.assert_allclose(gradients(rates, epoch=2), gradients((), epoch=2), atol=1e-6)


def test_the_order_is_another_in_each_epoch(bound, dataset):
    _, state, _, epoch = bound
    frozen = state._replace(plateau=state.plateau._replace(scale=jnp.float32(0)))
    images = jnp.asarray(dataset.train.images)
    first, second = (
        epoch(frozen._replace(epoch=jnp.int32(number)), images)[1] for number in (0, 1)
    )
    assert (
        np.asarray(first) != np.asarray(second)
    ).all()  # the steps' keys are the same, the batches are not


def test_training_learns(bound, dataset):
    _, state, _, epoch = bound
    images = jnp.asarray(dataset.train.images)
    losses = []
    for number in range(12):
        state, steps = epoch(state._replace(epoch=jnp.int32(number)), images)
        losses.append(float(steps.mean()))
    assert losses[-1] < 0.6 * losses[0]


def test_the_neighbour_term_brings_pairs_together_and_is_not_in_the_loss(bound, dataset):
    """Pairs are images of the two halves of a batch, here drawn at random."""
    parts, state, step, _ = bound
    options = StepOptions(parts.model, parts.optimizer, 0.25, neighbor_weight=1.0)
    weighted = jax.jit(functools.partial(train_step, options=options))
    images = jnp.asarray(dataset.train.images[:BATCH])
    assert float(weighted(state, images)[1]) == pytest.approx(
        float(step(state, images)[1]), rel=1e-6
    )
    plain = ordered = state
    for _ in range(30):
        plain, ordered = step(plain, images)[0], weighted(ordered, images)[0]

    encode = jax.jit(functools.partial(parts.model.apply, method="encode"))

    def apart(state):
        """The mean rank of an image's mate among the other images, by distance on the map."""
        distances = cdist(*[encode(model_variables(state), to_unit(images))] * 2)
        np.fill_diagonal(distances, -1)
        mates = distances[np.arange(BATCH), (np.arange(BATCH) + BATCH // 2) % BATCH]
        return (distances < mates[:, None]).sum(axis=1).mean()

    assert apart(ordered) < 0.85 * apart(plain)


def test_with_neighbours_the_second_half_of_each_batch_are_those_of_the_first(bound):
    _, state, _, _ = bound
    neighbours = jnp.asarray(np.random.default_rng(0).integers(0, 3000, (3000, 5)))
    plain = np.asarray(state_order(state, 3000, batch_size=BATCH))
    orders = [
        np.asarray(
            state_order(
                state._replace(epoch=jnp.int32(e)), 3000, batch_size=BATCH, neighbours=neighbours
            )
        )
        for e in (0, 1)
    ]
    for order in orders:
        assert order.shape == plain.shape
        of_chosen = np.asarray(neighbours)[order[:, : BATCH // 2]]
        assert (order[:, BATCH // 2 :, None] == of_chosen).any(axis=-1).all()
    np.testing.assert_array_equal(orders[0][:, : BATCH // 2], plain[:, : BATCH // 2])

    ranks = jnp.tile(jnp.arange(50), (3000, 1))  # what is drawn is the rank, whatever was chosen
    first, second = (
        state_order(state._replace(epoch=jnp.int32(e)), 3000, batch_size=BATCH, neighbours=ranks)
        for e in (0, 1)
    )
    assert (first[:, BATCH // 2 :] != second[:, BATCH // 2 :]).any()


def test_the_weight_of_the_neighbour_term_is_halved_after_its_steps(bound, dataset):
    """With plain gradient descent a step is the gradient, whose weighted part is linear in it."""
    parts, state, _, _ = bound
    descent = optax.sgd(1.0)
    state = state._replace(opt_state=descent.init(state.params))
    images = jnp.asarray(dataset.train.images[:BATCH])

    @functools.cache
    def program(weight: float):
        options = StepOptions(parts.model.clone(dropout=()), descent, 0.0, 0.0, weight)
        return jax.jit(functools.partial(train_step, options=options))

    def last_kernel(step: int, weight: float) -> np.ndarray:
        """The kernel after a step, with the noise and the dropout of step 0 whatever its number."""
        moved, _ = program(weight)(state._replace(step=jnp.int32(step)), images)
        return np.asarray(moved.params["encoder"]["dense_2"]["kernel"])

    first = last_kernel(0, 1.0) - last_kernel(0, 0.0)
    assert np.abs(first).max() > 1e-3
    for steps, share in ((NEIGHBOR_STEPS // 4, 4 / 5), (NEIGHBOR_STEPS, 1 / 2)):
        found = last_kernel(steps, 1.0) - last_kernel(steps, 0.0)
        np.testing.assert_allclose(found, share * first, atol=1e-5)


def test_a_plateau_scale_of_zero_moves_no_parameter(bound, dataset):
    _, state, step, _ = bound
    frozen = state._replace(plateau=state.plateau._replace(scale=jnp.float32(0)))
    after, _ = step(frozen, jnp.asarray(dataset.train.images[:BATCH]))
    assert all(
        jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), after.params, state.params))
    )
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), after.batch_stats, state.batch_stats)
    assert any(jax.tree.leaves(moved))


def test_the_target_is_clean_and_the_input_is_not(bound, dataset):
    """Black images have loss mean(o² + o) exactly, whatever the noise on the input was."""
    parts, state, step, _ = bound
    black = jnp.zeros((BATCH, 28, 28, 1), jnp.uint8)
    _, loss = step(state, black)
    rngs = {"dropout": derive(state.key, Stream.DROPOUT, 0)}
    noise = jnp.clip(
        0.25 * jax.random.normal(derive(state.key, Stream.NOISE, 0), black.shape), 0, 1
    )
    train = jax.jit(functools.partial(parts.model.apply, train=True, mutable=["batch_stats"]))
    output, _ = train(model_variables(state), noise, rngs=rngs)
    np.testing.assert_allclose(loss, jnp.mean(output**2 + output), rtol=1e-4)


def test_eval_step_is_per_image_and_uses_running_statistics(bound, dataset):
    parts, state, _, _ = bound
    images = dataset.test.images
    noisy = np.asarray(to_unit(images))
    run = jax.jit(functools.partial(eval_step, model=parts.model))
    whole = run(model_variables(state), noisy, images)
    part = run(model_variables(state), noisy[7:9], images[7:9])
    for all_values, few_values in zip(whole, part, strict=True):
        assert all_values.shape == (103,)
        np.testing.assert_allclose(all_values[7:9], few_values, rtol=1e-5)
    np.testing.assert_allclose(whole.loss, whole.mse + whole.mae, rtol=1e-5)


def test_bytes_become_the_unit_interval():
    np.testing.assert_allclose(
        to_unit(jnp.arange(256, dtype=jnp.uint8)), np.arange(256) / 255, rtol=1e-6
    )


def test_each_image_has_noise_of_its_own_strength_within_the_range():
    grey = jnp.full((200, 28, 28, 1), 0.5)
    noise = add_training_noise(root_key(0), Stream.NOISE, 3, grey, (0.02, 0.1)) - grey
    strengths = np.asarray(noise.std(axis=(1, 2, 3)))
    assert stats.kstest((strengths - 0.02) / 0.08, "uniform").pvalue > 1e-3
    again, other = (
        add_training_noise(root_key(0), Stream.NOISE, step, grey, (0.02, 0.1)) - grey
        for step in (3, 4)
    )
    assert (again == noise).all()
    assert (other != noise).mean() > 0.9


def test_batch_statistics_are_those_that_numpy_finds_without_dropout(bound, dataset):
    """Of the first layer, from the noisy batches; and of no other value than the weights, the
    images and the key.
    """
    parts, state, _, _ = bound
    batches = jnp.asarray(dataset.train.images[:96]).reshape(2, 48, 28, 28, 1)
    run = jax.jit(functools.partial(batch_statistics, model=parts.model, noise=0.25))
    each = [run(state, batch, number) for number, batch in enumerate(batches)]
    found = jax.tree.map(lambda *values: np.mean(values, axis=0), *each)
    kernel = np.asarray(state.params["encoder"]["dense_0"]["kernel"], np.float64)
    means, variances = [], []
    for number in range(2):
        noisy = add_training_noise(
            state.key, Stream.STATISTICS, number, to_unit(batches[number]), 0.25
        )
        x = np.asarray(noisy, np.float64).reshape(48, 784) @ kernel
        means.append(x.mean(axis=0))
        variances.append(x.var(axis=0))
    first = found["encoder"]["batch_norm_0"]
    np.testing.assert_allclose(first["mean"], np.mean(means, axis=0), atol=1e-5)
    np.testing.assert_allclose(first["var"], np.mean(variances, axis=0), rtol=1e-3)
    soiled = state._replace(batch_stats=jax.tree.map(lambda x: x + 7, state.batch_stats))
    again = run(soiled, batches[0], 0)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), again, each[0]))


def test_the_average_moves_by_its_share_of_each_step_and_trains_nothing(bound, dataset):
    from jaxae.config import Config

    parts, state, step, _ = bound
    averaging = build_parts(Config(learning_rate=3e-3, average_decay=0.5, widths=(64, 16)))
    averaged = jax.jit(functools.partial(init_state, parts=averaging))(state.key)
    options = StepOptions(parts.model, parts.optimizer, 0.25, average_decay=0.5)
    run = jax.jit(functools.partial(train_step, options=options))
    images = jnp.asarray(dataset.train.images[:BATCH])
    expected = np.asarray(state.params["decoder"]["dense_2"]["bias"])
    for number in range(12):
        state, _ = step(state, images)
        averaged, _ = run(averaged, images)
        kept = min(0.5, (1 + number) / (10 + number))
        expected = kept * expected + (1 - kept) * np.asarray(
            averaged.params["decoder"]["dense_2"]["bias"]
        )
    np.testing.assert_allclose(averaged.average["decoder"]["dense_2"]["bias"], expected, atol=1e-6)
    assert model_variables(averaged)["params"] is averaged.average
    np.testing.assert_allclose(
        averaged.params["decoder"]["dense_2"]["bias"],
        state.params["decoder"]["dense_2"]["bias"],
        atol=1e-3,
    )
