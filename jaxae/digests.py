"""What tells one set of arrays from another: SHA-256 digests, and the dtypes and shapes of a tree's leaves."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae.rng import keys_to_data


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, in the order of the names."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def tree_digest(tree: Any) -> str:
    """digest of a pytree's leaves under their paths; typed keys count by their data."""
    return digest({name: np.asarray(leaf) for name, leaf in named_leaves(keys_to_data(tree)).items()})


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def json_digest(value: Any) -> str:
    """SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def describe_leaves(tree: Any) -> dict[str, str]:
    """path → "float32[784, 512]" for each leaf of a pytree of arrays or shapes."""
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in named_leaves(tree).items()}


def named_leaves(tree: Any) -> dict[str, Any]:
    """path → leaf for each leaf of a pytree, such as params/encoder/Dense_0/kernel."""
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
