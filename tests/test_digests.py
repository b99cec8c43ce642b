import jax
import jax.numpy as jnp
import numpy as np

from jaxae.digests import digest, json_digest
from jaxae.runs.manifest import describe_leaves, tree_digest


def test_digest_depends_on_names_dtypes_shapes_and_bits():
    base = {"a": np.zeros((2, 3), np.float32)}
    others: list[dict[str, np.ndarray]] = [
        {"b": base["a"]},
        {"a": np.zeros((3, 2), np.float32)},
        {"a": np.zeros((2, 3), np.int32)},
        {"a": -base["a"]},
        {},
    ]
    assert len({digest(arrays) for arrays in [base, *others]}) == 6
    assert digest(base) == digest({"a": np.zeros((2, 6), np.float32)[:, ::2]})


def test_a_tree_counts_by_paths_and_bits():
    tree = {"a": {"b": jnp.arange(3.0)}, "key": jax.random.key(0)}
    others = [
        {"a": {"c": jnp.arange(3.0)}, "key": jax.random.key(0)},
        {"a": {"b": jnp.arange(3.0).at[2].set(2.0000002)}, "key": jax.random.key(0)},
        {"a": {"b": jnp.arange(3.0)}, "key": jax.random.key(1)},
    ]
    assert len({tree_digest(other) for other in [tree, *others]}) == 4
    assert tree_digest(tree) == tree_digest(jax.tree.map(lambda leaf: leaf, tree))


def test_leaves_of_arrays_and_of_shapes_are_described_alike():
    tree = {"a": jnp.zeros((2, 3)), "key": jax.random.key(0), "n": jnp.int32(1)}
    assert describe_leaves(tree) == {"a": "float32[2, 3]", "key": "key<fry>[]", "n": "int32[]"}
    assert describe_leaves(jax.eval_shape(lambda: tree)) == describe_leaves(tree)


def test_json_counts_by_content_and_not_by_order():
    assert json_digest({"a": 1, "b": [2.5]}) == json_digest({"b": [2.5], "a": 1})
    assert json_digest({"a": 1}) != json_digest({"a": 1.5})
