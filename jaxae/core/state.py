"""The state of a run, a pytree of arrays that is saved and restored whole."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxae.core.model import Autoencoder
from jaxae.core.optim import ROUNDING
from jaxae.core.rng import Stream, derive


class TrainState(NamedTuple):
    """Arrays only; model, optimiser and plateau are in Parts."""

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
    """i32[]: the epoch of best_loss. A tie keeps the earlier one."""
    drop_epoch: jax.Array
    """i32[]: the last epoch after which the learning rate fell; 0 if none."""
    key: jax.Array
    """The root key: never split, never advanced."""
    average: Any = None
    """Exponential moving average of params, which is evaluated in their place; None without one."""
    best_state: Any = None
    """Values of RESTORED at the best epoch, to go back to; None where a recipe does not go back."""


RESTORED = ("params", "batch_stats", "opt_state", "average")
"""The fields that restore_best sets back: all that a step changes, except `step`."""


def restorable(state: TrainState) -> dict[str, Any]:
    """Return the values of RESTORED."""
    return {name: getattr(state, name) for name in RESTORED}


class Parts(NamedTuple):
    """The parts of training that hold no arrays."""

    model: Autoencoder
    optimizer: optax.GradientTransformation
    plateau: optax.GradientTransformationExtraArgs
    average_decay: float
    restore_best: bool = False


def init_variables(key: jax.Array, *, model: Autoencoder) -> dict[str, Any]:
    """Return {"params", "batch_stats"} before training. key: a run's root key."""
    return dict(model.init(derive(key, Stream.INIT), jnp.zeros((1, *model.image_shape))))


def init_state(key: jax.Array, *, parts: Parts) -> TrainState:
    """Return the state before the first step. key: the run's root key, which the state keeps.

    >>> first = init_state(key, parts=parts)
    >>> int(first.step), float(first.best_loss)
    (0, inf)
    """
    variables = init_variables(key, model=parts.model)
    params = variables["params"]

    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        epoch=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables["batch_stats"],
        opt_state=parts.optimizer.init(params),
        plateau=parts.plateau.init(params),
        best_loss=jnp.float32(jnp.inf),
        best_epoch=jnp.zeros((), jnp.int32),
        drop_epoch=jnp.zeros((), jnp.int32),
        key=key,
        average=_copy(params) if parts.average_decay else None,
    )
    if parts.restore_best:
        return state._replace(best_state=_copy(restorable(state)))
    return state


def model_variables(state: TrainState) -> dict[str, Any]:
    """Return what `model.apply` evaluates: parameters, or their average, and batch statistics.

    >>> parts.model.apply(model_variables(state), jnp.zeros((5, 28, 28, 1))).shape
    (5, 28, 28, 1)
    """
    params = state.params if state.average is None else state.average
    return {"params": params, "batch_stats": state.batch_stats}


def end_epoch(
    state: TrainState,
    validation_loss: jax.Array,
    *,
    plateau: optax.GradientTransformationExtraArgs,
) -> tuple[TrainState, jax.Array]:
    """Return the state after the epoch, and whether its validation loss is the lowest, bool[].

    With best_state: when the learning rate drops, the fields in RESTORED go back to the best epoch;
    the counters do not.

    >>> ended, improved = end_epoch(state, jnp.float32(0.2), plateau=parts.plateau)
    >>> int(ended.epoch), bool(improved), int(ended.best_epoch)
    (1, True, 1)
    """
    epoch = state.epoch + 1
    _, plateau_state = plateau.update({}, state.plateau, value=validation_loss)

    improved = validation_loss < state.best_loss
    drops = plateau_state.scale < (1 - ROUNDING) * state.plateau.scale
    # Rounding alone, at the floor, is no drop: it would be told as one.
    scale = jnp.where(drops, plateau_state.scale, state.plateau.scale)

    if state.best_state is not None:
        best_state = _select(improved, restorable(state), state.best_state)
        going_on = _select(drops, best_state, restorable(state))
        state = state._replace(best_state=best_state, **going_on)

    ended = state._replace(
        epoch=epoch,
        plateau=plateau_state._replace(scale=scale),
        best_loss=jnp.where(improved, validation_loss, state.best_loss),
        best_epoch=jnp.where(improved, epoch, state.best_epoch),
        drop_epoch=jnp.where(drops, epoch, state.drop_epoch),
    )
    return ended, improved


def stack_members(states: Sequence[TrainState]) -> TrainState:
    """Stack the states of members on a new leading axis, [M, ...]."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def take_member(states: TrainState, k: jax.typing.ArrayLike) -> TrainState:
    """Return the k-th of stacked states."""
    return jax.tree.map(lambda leaf: leaf[k], states)


def _select(condition: jax.Array, one: Any, other: Any) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), one, other)


def _copy(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)
