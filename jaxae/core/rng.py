"""The only place where keys are derived: fold_in(fold_in(root, stream), counter).

No key is split, and none is used twice.
"""

from enum import IntEnum
from typing import Any

import jax
import jax.numpy as jnp

GENERATOR = "threefry2x32"
"""JAX's default, by name: no setting of JAX's changes what a run draws."""


class Stream(IntEnum):
    """What a key is for. The numbers are part of a run's identity: never reuse or renumber one."""

    INIT = 0
    ORDER = 1
    NOISE = 2
    DROPOUT = 3
    VALIDATION = 4
    EVALUATION = 5
    SYNTHETIC = 6
    RIVALS = 7
    UNSEEN_NOISE = 8
    NOISE_LEVEL = 9
    STATISTICS = 10
    SAMPLE = 11
    NEIGHBOURS = 12


def root_key(seed: int) -> jax.Array:
    """Return the root key of a run, typed. seed: in [0, 2³²)."""
    return jax.random.key(seed, impl=GENERATOR)


def derive(root: jax.Array, stream: Stream, counter: jax.typing.ArrayLike = 0) -> jax.Array:
    """Return the key for one use: the counter-th of a stream (a step, an epoch, or 0).

    >>> key = derive(root_key(0), Stream.NOISE, 7)
    >>> bool(key == derive(root_key(0), Stream.NOISE, 7))
    True
    """
    return jax.random.fold_in(jax.random.fold_in(root, stream), counter)


def derive_each(key: jax.Array, counters: jax.typing.ArrayLike) -> jax.Array:
    """Return a key for each counter, keys[N]: image i of a split has the same one everywhere."""
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.asarray(counters))


def keys_to_data(tree: Any) -> Any:
    """Replace a tree's keys by their data, u32[..., 2], which files and other processes take."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def data_to_keys(tree: Any, like: Any) -> Any:
    """Undo keys_to_data. like: the tree with its keys, as arrays or shapes."""

    def to_key(leaf: Any, wanted: Any) -> Any:
        return jax.random.wrap_key_data(leaf, impl=GENERATOR) if _is_key(wanted) else leaf

    return jax.tree.map(to_key, tree, like)


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
