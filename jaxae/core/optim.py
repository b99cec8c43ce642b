"""The optimiser, and the plateau that scales its updates."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike
from optax.contrib import reduce_on_plateau

THRESHOLD = 5e-4
"""Share by which a validation loss has to be below the best, so that it is no plateau."""

ROUNDING = 1e-5
"""Share by which two scales may differ and be one: in float32, 0.2 · 0.2 is above 0.04."""


def make_optimizer(
    *,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    clip_norm: ArrayLike,
    b2: ArrayLike = 0.999,
) -> optax.GradientTransformation:
    """Return global-norm clipping, then AdamW on all parameters (Loshchilov & Hutter 2019).

    clip_norm: the largest global norm of the gradient. b2: decay of the mean squared gradient.

    >>> optimizer = make_optimizer(learning_rate=0.1, weight_decay=0.0, clip_norm=1.0)
    >>> weights = {"kernel": jnp.ones(3)}
    >>> updates, _ = optimizer.update(weights, optimizer.init(weights), weights)
    >>> bool(jnp.allclose(updates["kernel"], -0.1))
    True
    """
    adamw = optax.adamw(learning_rate, b2=b2, weight_decay=weight_decay)
    return pack_small(optax.chain(clip_by_global_norm(clip_norm), adamw))


def clip_by_global_norm(max_norm: ArrayLike) -> optax.GradientTransformation:
    """Return optax's clipping, with the norm from dot products.

    A sum of squares runs in one thread on a CPU (benchmarks/NOTES.md).
    """

    def clip(updates: Any, params: Any) -> Any:
        squares = [jnp.vdot(x, x, precision="highest") for x in jax.tree.leaves(updates)]
        norm = jnp.sqrt(sum(squares))
        return jax.tree.map(lambda x: x * jnp.minimum(1.0, max_norm / norm), updates)

    return optax.stateless(clip)


def pack_small(
    inner: optax.GradientTransformation, *, size: int = 2**13
) -> optax.GradientTransformation:
    """Show `inner` all leaves smaller than `size` as one vector. The updates are the same.

    For transformations that are elementwise, or look at the global norm. Of the model's 52 leaves
    44 are small and hold 1 % of its parameters: an operation on each costs more in compilation and
    dispatch than in arithmetic (benchmarks/NOTES.md).
    """

    def init(params: Any) -> optax.OptState:
        packed, _ = _pack(params, size)
        return inner.init(packed)

    def update(updates: Any, state: optax.OptState, params: Any) -> tuple[Any, optax.OptState]:
        packed, unpack = _pack(updates, size)
        packed_params, _ = _pack(params, size)
        packed, state = inner.update(packed, state, packed_params)
        return unpack(packed), state

    return optax.GradientTransformation(init, update)


def _pack(tree: Any, size: int) -> tuple[Any, Callable[[Any], Any]]:
    large = jax.tree.map(lambda x: None if x.size < size else x, tree)
    small = jax.tree.map(lambda x: x if x.size < size else None, tree)
    vector, unravel = ravel_pytree(small)

    def unpack(packed: Any) -> Any:
        large, vector = packed
        small = unravel(vector)
        return jax.tree.map(
            lambda x, y: y if x is None else x, large, small, is_leaf=lambda x: x is None
        )

    return (large, vector), unpack


def make_plateau(
    *, factor: float, patience: int, min_scale: float
) -> optax.GradientTransformationExtraArgs:
    """Return a scale for the updates that falls by `factor` on a plateau.

    A plateau is `patience` values that are not 0.05 % below the best. Updated once an epoch with
    the validation loss, it takes the steps of PyTorch's ReduceLROnPlateau(patience - 1).

    >>> plateau = make_plateau(factor=0.5, patience=2, min_scale=0.05)
    >>> scale = plateau.init({})
    >>> for loss in (0.2, 0.2, 0.2):
    ...     _, scale = plateau.update({}, scale, value=loss)
    >>> float(scale.scale)
    0.5
    """
    return reduce_on_plateau(factor=factor, patience=patience, min_scale=min_scale, rtol=THRESHOLD)
