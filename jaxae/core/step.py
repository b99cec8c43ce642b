"""The steps of training as pure functions: no jit, no loop over epochs, no I/O. Images come as uint8."""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax

from jaxae.core.corruption import Noise, add_training_noise
from jaxae.core.images import as_rows, to_unit
from jaxae.core.model import Autoencoder
from jaxae.core.objective import mae, mse, reconstruction_loss, similarity_mismatch
from jaxae.core.rng import Stream, derive
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import InputError

SplitBatch = Callable[[jax.Array], jax.Array]
"""Says how several devices share a batch; it changes no value."""


def train_step(
    state: TrainState,
    images: jax.Array,
    *,
    model: Autoencoder,
    optimizer: optax.GradientTransformation,
    noise_factor: Noise,
    average_decay: float = 0.0,
    similarity_weight: float = 0.0,
    similarity_steps: int = 10_000,
) -> tuple[TrainState, jax.Array]:
    """One update on a batch u8[B, H, W, C]. Returns the next state and the batch's mean loss, f32[].

    similarity_weight: what is minimised has so many times objective.similarity_mismatch beside the loss, at the first step;
    half of that after similarity_steps, a third after twice these, and so on. The loss that is returned is without.
    """
    clean = to_unit(as_rows(images))
    noisy = add_training_noise(state.key, Stream.NOISE, state.step, clean, noise_factor)
    rngs = {"dropout": derive(state.key, Stream.DROPOUT, state.step)}

    def objective(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        inputs = noisy.reshape(len(noisy), *model.image_shape)
        options: Any = {
            "train": True,
            "rngs": rngs,
            "mutable": ["batch_stats"],
            "method": "encode_decode",
        }
        (latents, output), updated = model.apply(variables, inputs, **options)
        loss = jnp.mean(reconstruction_loss(as_rows(output), clean))
        if not similarity_weight:
            return loss, (loss, updated["batch_stats"])
        weight = similarity_weight / (1 + state.step / similarity_steps)
        return loss + weight * similarity_mismatch(latents, clean), (loss, updated["batch_stats"])

    (_, (loss, batch_stats)), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    updates = jax.tree.map(lambda u: state.plateau.scale * u, updates)
    params = optax.apply_updates(state.params, updates)
    average = _moving_average(state, params, decay=average_decay) if average_decay else None
    updated = state._replace(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        opt_state=opt_state,
        average=average,
    )
    return updated, loss


def train_epoch(
    state: TrainState,
    images: jax.Array,
    *,
    batch_size: int,
    split_batch: SplitBatch = lambda batch: batch,
    **options: Any,
) -> tuple[TrainState, jax.Array]:
    """A scan of train_step over u8[N, H, W, C] in the epoch's order. Returns the state and the steps' losses, f32[steps].

    options: train_step's.
    """
    order, rows = state_order(state, len(images), batch_size=batch_size), as_rows(images)
    return jax.lax.scan(
        lambda state, batch: train_step(state, split_batch(rows[batch]), **options), state, order
    )


def train_batches(
    state: TrainState,
    batches: jax.Array,
    *,
    split_batch: SplitBatch = lambda batch: batch,
    **options: Any,
) -> tuple[TrainState, jax.Array]:
    """train_epoch over batches that are gathered already, u8[S, B, H, W, C], to the same bits."""
    return jax.lax.scan(
        lambda state, batch: train_step(state, split_batch(as_rows(batch)), **options),
        state,
        batches,
    )


def batch_statistics(
    state: TrainState,
    images: jax.Array,
    *,
    model: Autoencoder,
    noise_factor: Noise,
    split_batch: SplitBatch = lambda batch: batch,
) -> Any:
    """The batch statistics of the weights that are evaluated: means over the batches u8[K, B, H, W, C], without dropout.

    The running ones belong to weights of some steps before, and are noisy (Wu & Johnson 2021, "precise BatchNorm").
    """
    fresh = model.clone(
        dropout=(), momentum=0.0
    )  # keeps nothing of the statistics before: those of this batch

    def of_batch(number, batch):
        batch = split_batch(as_rows(batch))
        # The same noise after every epoch, as in validation, so that epochs compare.
        noisy = add_training_noise(
            state.key, Stream.STATISTICS, number, to_unit(batch), noise_factor
        )
        noisy = noisy.reshape(len(noisy), *model.image_shape)
        return fresh.apply(model_variables(state), noisy, train=True, mutable=["batch_stats"])[1][
            "batch_stats"
        ]

    each = jax.lax.map(lambda pair: of_batch(*pair), (jnp.arange(len(images)), images))
    return jax.tree.map(lambda statistics: statistics.mean(axis=0), each)


def eval_step(
    variables, noisy: jax.Array, images: jax.Array, *, model: Autoencoder
) -> dict[str, jax.Array]:
    """Loss, MSE and MAE of each image, f32[B], with running statistics. noisy: f32[B, H, W, C]; images: u8[B, H, W, C]."""
    clean = to_unit(as_rows(images))
    output = as_rows(
        cast(jax.Array, model.apply(variables, noisy.reshape(len(noisy), *model.image_shape)))
    )
    return {
        "loss": reconstruction_loss(output, clean),
        "mse": mse(output, clean),
        "mae": mae(output, clean),
    }


def _moving_average(state: TrainState, params: Any, *, decay: float) -> Any:
    warm = jnp.minimum(
        decay, (1 + state.step) / (10 + state.step)
    )  # so that the first weights do not linger
    return optax.incremental_update(params, state.average, 1 - warm)


def state_order(state: TrainState, size: int, *, batch_size: int) -> jax.Array:
    """The order of the epoch that the state is about to take, i32[size // batch_size, batch_size]."""
    return epoch_order(derive(state.key, Stream.ORDER, state.epoch), size, batch_size=batch_size)


def epoch_order(key: jax.Array, size: int, *, batch_size: int) -> jax.Array:
    """A random order of 0 … size - 1 cut into batches, i32[size // batch_size, batch_size]; the rest is left out.

    Raises InputError for a batch size below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: give 1 or more")
    steps = size // batch_size
    return jax.random.permutation(key, size)[: steps * batch_size].reshape(steps, batch_size)
