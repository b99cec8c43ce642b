"""The steps of training as pure functions: no jit, no loop over epochs, no files.

Images come as uint8, and are float32 in [0, 1] from the first line of a step on.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from jaxae.core.corruption import Noise, add_training_noise
from jaxae.core.images import as_rows, to_unit
from jaxae.core.model import Autoencoder
from jaxae.core.neighbours import draw_neighbours, neighbour_contrast
from jaxae.core.objective import mae, mse, reconstruction_loss
from jaxae.core.rng import Stream, derive
from jaxae.core.state import TrainState, model_variables

NEIGHBOR_STEPS = 1000
"""Steps after which the weight of the neighbour term has halved."""

FEWEST_STEPS = 16
"""Fewest steps of an epoch: the plateau and the early stop count epochs."""

SplitBatch = Callable[[jax.Array], jax.Array]
"""Shares a batch out over devices. It changes no value."""


def whole(batch: jax.Array) -> jax.Array:
    """Return the batch as it is: one device takes all of it."""
    return batch


class StepOptions(NamedTuple):
    """The arguments of a training step, except the state and the images."""

    model: Autoencoder
    optimizer: optax.GradientTransformation
    noise: Noise
    average_decay: float = 0.0
    """Decay of the exponential moving average of the weights; 0 keeps none."""
    neighbor_weight: float = 0.0
    """Weight of the neighbour term at the first step; 0 leaves it out."""
    dropout_epochs: int = 2**31 - 1
    """Epochs with dropout, from the first one; by default all."""
    split_batch: SplitBatch = whole


def train_step(
    state: TrainState, images: jax.Array, *, options: StepOptions
) -> tuple[TrainState, jax.Array]:
    """Update the state on one batch u8[B, H, W, C]. Return it, and the batch's mean loss, f32[].

    With a neighbor_weight, the second half of the batch are neighbours of the first, and what is
    minimised is loss + weight / (1 + step / NEIGHBOR_STEPS) * neighbour_contrast. The loss that is
    returned is that of the reconstruction alone.

    >>> after, loss = train_step(state, images[:32], options=options)
    >>> int(state.step), int(after.step), loss.shape
    (0, 1, ())
    """
    model = options.model
    clean = to_unit(as_rows(images))
    noisy = add_training_noise(state.key, Stream.NOISE, state.step, clean, options.noise)
    dropout_key = derive(state.key, Stream.DROPOUT, state.step)

    def objective(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        (latents, output), updated = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            noisy.reshape(len(noisy), *model.image_shape),
            train=True,
            drop=state.epoch < options.dropout_epochs,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
            method="encode_decode",
        )
        loss = jnp.mean(reconstruction_loss(as_rows(output), clean))
        minimised = loss
        if options.neighbor_weight:
            weight = options.neighbor_weight / (1 + state.step / NEIGHBOR_STEPS)
            minimised = loss + weight * neighbour_contrast(latents)
        return minimised, (loss, updated["batch_stats"])

    gradient = jax.value_and_grad(objective, has_aux=True)
    (_, (loss, batch_stats)), gradients = gradient(state.params)

    updates, opt_state = options.optimizer.update(gradients, state.opt_state, state.params)
    updates = jax.tree.map(lambda u: state.plateau.scale * u, updates)
    params = optax.apply_updates(state.params, updates)

    average = None
    if options.average_decay:
        average = _moving_average(state, params, decay=options.average_decay)

    updated_state = state._replace(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        opt_state=opt_state,
        average=average,
    )
    return updated_state, loss


def train_epoch(
    state: TrainState,
    images: jax.Array,
    *,
    batch_size: int,
    options: StepOptions,
    neighbours: jax.Array | None = None,
) -> tuple[TrainState, jax.Array]:
    """Scan train_step over u8[N, H, W, C] in the epoch's order. Return also losses f32[steps].

    neighbours: i32[N, K], for a neighbor_weight.

    >>> after, losses = train_epoch(state, images, batch_size=32, options=options)
    >>> int(after.step), losses.shape
    (16, (16,))
    """
    order = state_order(state, len(images), batch_size=batch_size, neighbours=neighbours)
    rows = as_rows(images)

    def step(state: TrainState, batch: jax.Array) -> tuple[TrainState, jax.Array]:
        return train_step(state, options.split_batch(rows[batch]), options=options)

    return jax.lax.scan(step, state, order)


def train_batches(
    state: TrainState, batches: jax.Array, *, options: StepOptions
) -> tuple[TrainState, jax.Array]:
    """Scan train_step over batches u8[S, B, H, W, C]: train_epoch to the same bits."""

    def step(state: TrainState, batch: jax.Array) -> tuple[TrainState, jax.Array]:
        return train_step(state, options.split_batch(as_rows(batch)), options=options)

    return jax.lax.scan(step, state, batches)


def batch_statistics(
    state: TrainState,
    batch: jax.Array,
    number: ArrayLike,
    *,
    model: Autoencoder,
    noise: Noise,
    split_batch: SplitBatch = whole,
) -> Any:
    """Return the batch statistics that the weights that are evaluated have on u8[B, H, W, C].

    number: of the batch, i32[], from which its noise is drawn. Without dropout. The running
    statistics belong to weights of some steps before, and are noisy: a model is evaluated with
    the mean of these over some batches (Wu & Johnson 2021, "precise BatchNorm").
    """
    fresh = model.clone(dropout=(), momentum=0.0)  # momentum 0: those of this batch alone
    clean = to_unit(split_batch(as_rows(batch)))
    # The same noise after every epoch, as in validation, so that epochs compare.
    noisy = add_training_noise(state.key, Stream.STATISTICS, number, clean, noise)
    noisy = noisy.reshape(len(noisy), *model.image_shape)
    _, updated = fresh.apply(model_variables(state), noisy, train=True, mutable=["batch_stats"])
    return updated["batch_stats"]


class ImageErrors(NamedTuple):
    """Errors of each image, f32[B] or, over members, f32[M, B]."""

    loss: jax.Array
    mse: jax.Array
    mae: jax.Array


def eval_step(
    variables: Any, noisy: jax.Array, images: jax.Array, *, model: Autoencoder
) -> ImageErrors:
    """Return the errors of each image. noisy: f32[B, H, W, C]; images, clean: u8[B, H, W, C].

    >>> errors = eval_step(model_variables(state), to_unit(images), images, model=parts.model)
    >>> errors.loss.shape
    (256,)
    """
    clean = to_unit(as_rows(images))
    inputs = noisy.reshape(len(noisy), *model.image_shape)
    output = as_rows(cast(jax.Array, model.apply(variables, inputs)))
    return ImageErrors(reconstruction_loss(output, clean), mse(output, clean), mae(output, clean))


def _moving_average(state: TrainState, params: Any, *, decay: float) -> Any:
    warm = jnp.minimum(decay, (1 + state.step) / (10 + state.step))  # the first weights fade soon
    return optax.incremental_update(params, state.average, 1 - warm)


def state_order(
    state: TrainState, size: int, *, batch_size: int, neighbours: jax.Array | None = None
) -> jax.Array:
    """Return the order of the state's next epoch, i32[epoch_steps(size), batch_size].

    With neighbours, i32[size, K], the second half of each batch are neighbours of its first half:
    an epoch has as many steps, and half of the images.
    """
    key = derive(state.key, Stream.ORDER, state.epoch)
    order = epoch_order(key, size, batch_size=batch_size)
    if neighbours is None:
        return order

    chosen = order[:, : batch_size // 2]
    drawn = draw_neighbours(derive(state.key, Stream.NEIGHBOURS, state.epoch), neighbours, chosen)
    return jnp.concatenate([chosen, drawn], axis=1)


def epoch_order(key: jax.Array, size: int, *, batch_size: int) -> jax.Array:
    """Return a random order of 0 … size - 1, cut into batches; what fills none is left out.

    i32[epoch_steps(size), batch_size]. Of few images each is there as often as another.

    >>> epoch_order(key, 55_000, batch_size=128).shape
    (429, 128)
    """
    passes = epoch_passes(size, batch_size=batch_size)
    steps = epoch_steps(size, batch_size=batch_size)

    order = jax.random.permutation(key, passes * size)
    if passes > 1:
        order = order % size
    return order[: steps * batch_size].reshape(steps, batch_size)


def epoch_steps(size: int, *, batch_size: int) -> int:
    """Return the number of steps of an epoch: FEWEST_STEPS or more."""
    return epoch_passes(size, batch_size=batch_size) * size // batch_size


def epoch_passes(size: int, *, batch_size: int) -> int:
    """Return how often an epoch goes through the images, so that it has FEWEST_STEPS."""
    return math.ceil(FEWEST_STEPS * batch_size / size)
