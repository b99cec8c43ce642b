"""The steps of training as pure functions: no jit, no loop over epochs, no I/O. Images come as uint8."""

import functools
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from jaxae.corruption import add_gaussian_noise
from jaxae.data import epoch_order
from jaxae.metrics import mae, mse
from jaxae.objective import reconstruction_loss
from jaxae.rng import Stream, derive
from jaxae.state import TrainState

Array = TypeVar("Array", jax.Array, np.ndarray)


def to_unit(images: Array) -> Array:
    """u8[...] → f32[...] in [0, 1], in JAX or in NumPy as the images are."""
    return images.astype(jnp.float32) / 255.0


def train_step(
    state: TrainState,
    images: jax.Array,
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    noise_factor: float,
) -> tuple[TrainState, jax.Array]:
    """One update on a batch u8[B, 28, 28]. Returns the next state and the batch's mean loss, f32[]."""
    clean = to_unit(images)
    noisy = add_gaussian_noise(derive(state.key, Stream.NOISE, state.step), clean, std=noise_factor)
    rngs = {"dropout": derive(state.key, Stream.DROPOUT, state.step)}

    def mean_loss(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        output, updated = model.apply(variables, noisy, train=True, rngs=rngs, mutable=["batch_stats"])
        return jnp.mean(reconstruction_loss(output, clean)), updated["batch_stats"]

    (loss, batch_stats), gradients = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    updates = jax.tree.map(lambda u: state.plateau.scale * u, updates)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state), loss


def train_epoch(
    state: TrainState,
    images: jax.Array,
    *,
    batch_size: int,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    noise_factor: float,
) -> tuple[TrainState, jax.Array]:
    """A scan of train_step over u8[N, 28, 28] in the epoch's order. Returns the state and the steps' losses, f32[steps]."""
    step = functools.partial(train_step, model=model, optimizer=optimizer, noise_factor=noise_factor)
    order = epoch_order(derive(state.key, Stream.ORDER, state.epoch), len(images), batch_size=batch_size)
    return jax.lax.scan(lambda state, batch: step(state, images[batch]), state, order)


def eval_step(variables, noisy: jax.Array, images: jax.Array, *, model: nn.Module) -> dict[str, jax.Array]:
    """Loss, MSE and MAE of each image, f32[B], with running statistics. noisy: f32[B, 28, 28]; images: u8[B, 28, 28]."""
    clean = to_unit(images)
    output = cast(jax.Array, model.apply(variables, noisy))
    return {"loss": reconstruction_loss(output, clean), "mse": mse(output, clean), "mae": mae(output, clean)}


def end_epoch(
    state: TrainState, validation_loss: jax.Array, *, plateau: optax.GradientTransformationExtraArgs
) -> tuple[TrainState, jax.Array]:
    """Counts the epoch, steps the plateau, notes the best. Returns the state and whether this epoch is the best, bool[]."""
    epoch = state.epoch + 1
    _, plateau_state = plateau.update({}, state.plateau, value=validation_loss)
    improved = validation_loss < state.best_loss
    return state._replace(
        epoch=epoch,
        plateau=plateau_state,
        best_loss=jnp.where(improved, validation_loss, state.best_loss),
        best_epoch=jnp.where(improved, epoch, state.best_epoch),
    ), improved
