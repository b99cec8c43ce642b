"""The state of a run, a pytree of arrays that is saved and restored whole: its beginning, and the end of an epoch."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxae.core.model import Autoencoder
from jaxae.core.rng import Stream, derive


class TrainState(NamedTuple):
    """Arrays only; the model, the optimiser and the plateau are bound to the steps with functools.partial."""

    step: jax.Array
    """i32[]: updates done."""
    epoch: jax.Array
    """i32[]: epochs done."""
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    plateau: Any
    best_loss: jax.Array
    """f32[]: lowest validation loss so far, inf before the first epoch."""
    best_epoch: jax.Array
    """i32[]: the epoch of best_loss, for the early stop; a tie keeps the earlier one."""
    drop_epoch: jax.Array
    """i32[]: the epoch at whose end the learning rate fell last, for the early stop; 0 before the first time."""
    key: jax.Array
    """The root key: never split, never advanced."""
    average: Any = None
    """The exponential moving average of params, which is evaluated in their place; None where a recipe has none."""
    best_state: Any = None
    """What RESTORED held at the best epoch, for when the learning rate drops; None where a recipe does not go back to it."""


RESTORED = ("params", "batch_stats", "opt_state", "average")
"""The fields of a TrainState that training goes back to: all that steps change, but for their counter."""


def restorable(state: TrainState) -> dict[str, Any]:
    """The values of RESTORED."""
    return {name: getattr(state, name) for name in RESTORED}


class Parts(NamedTuple):
    """What acts on a TrainState and holds no arrays."""

    model: Autoencoder
    optimizer: optax.GradientTransformation
    plateau: optax.GradientTransformationExtraArgs
    average_decay: float
    restore_best: bool = False


def init_variables(key: jax.Array, *, model: Autoencoder) -> dict[str, Any]:
    """{"params", "batch_stats"} before training. key: a run's root key."""
    return dict(model.init(derive(key, Stream.INIT), jnp.zeros((1, *model.image_shape))))


def init_state(key: jax.Array, *, parts: Parts) -> TrainState:
    """The state before the first step. key: the run's root key, which the state keeps."""
    variables = init_variables(key, model=parts.model)
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        epoch=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=parts.optimizer.init(variables["params"]),
        plateau=parts.plateau.init(variables["params"]),
        best_loss=jnp.float32(jnp.inf),
        best_epoch=jnp.zeros((), jnp.int32),
        drop_epoch=jnp.zeros((), jnp.int32),
        key=key,
        average=jax.tree.map(jnp.copy, variables["params"]) if parts.average_decay else None,
    )
    return (
        state._replace(best_state=jax.tree.map(jnp.copy, restorable(state)))
        if parts.restore_best
        else state
    )


def model_variables(state: TrainState) -> dict[str, Any]:
    """What `model.apply` needs to evaluate: parameters, averaged where the recipe says so, and batch statistics."""
    return {
        "params": state.params if state.average is None else state.average,
        "batch_stats": state.batch_stats,
    }


def end_epoch(
    state: TrainState, validation_loss: jax.Array, *, plateau: optax.GradientTransformationExtraArgs
) -> tuple[TrainState, jax.Array]:
    """Counts the epoch, steps the plateau, notes the best and drops. Returns the state and whether it is the best, bool[].

    A state that keeps its best goes back to it where the learning rate drops; what it has counted stays.
    """
    epoch = state.epoch + 1
    _, plateau_state = plateau.update({}, state.plateau, value=validation_loss)
    improved, drops = validation_loss < state.best_loss, plateau_state.scale < state.plateau.scale
    if state.best_state is not None:
        best_state = _select(improved, restorable(state), state.best_state)
        state = state._replace(
            best_state=best_state, **_select(drops, best_state, restorable(state))
        )
    return state._replace(
        epoch=epoch,
        plateau=plateau_state,
        best_loss=jnp.where(improved, validation_loss, state.best_loss),
        best_epoch=jnp.where(improved, epoch, state.best_epoch),
        drop_epoch=jnp.where(drops, epoch, state.drop_epoch),
    ), improved


def _select(condition: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), one, other)


def stack_members(states: Sequence[TrainState]) -> TrainState:
    """States of members on a new leading axis, [M, ...]."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def take_member(states: TrainState, k: jax.typing.ArrayLike) -> TrainState:
    """The k-th of stacked states."""
    return jax.tree.map(lambda leaf: leaf[k], states)
