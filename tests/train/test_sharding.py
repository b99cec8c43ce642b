"""Work shared by eight devices, pretended ones on a CPU, against one."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.train.sharding import Placement, make_placement, over_members
from tests import ROOT


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    command = [
        sys.executable,
        str(ROOT / "tests" / "train" / "eight_devices.py"),
        str(tmp_path_factory.mktemp("devices")),
    ]
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=250,
        env=environment | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_fifty_losses_on_eight_devices_are_those_on_one(found):
    """Within rounding, which grows, and which a small learning rate keeps small; noise is a
    device's share of one draw.
    """
    one, eight = found["losses"]["1"], found["losses"]["8"]
    assert len(one) == 50
    assert len(set(one)) == 50
    np.testing.assert_allclose(eight[:5], one[:5], rtol=1e-5)
    np.testing.assert_allclose(eight, one, rtol=5e-4)
    assert (
        found["all_reduces"] > 10
    )  # the batch was shared out: statistics and gradients are summed over devices


@pytest.mark.slow
def test_each_device_reads_its_own_share_of_images_on_the_host(found):
    assert found["read"] == 8 * [50 * 64 // 8]
    np.testing.assert_allclose(found["losses"]["host"], found["losses"]["8"], rtol=1e-5)


@pytest.mark.slow
def test_members_on_eight_devices_end_as_on_one_and_load_there(found):
    eight, one = found["best"]
    np.testing.assert_allclose(eight, one, rtol=1e-3)
    assert found["loads_on_one"] == [True, True]


def test_a_placement_that_cannot_be_is_refused_in_one_line():
    assert make_placement(1, members=3, batch_size=7) == Placement()
    for devices in (0, 99, "some", "-1"):
        with pytest.raises(InputError, match=f"devices is {devices}"):
            make_placement(devices, members=1, batch_size=128)


def per_member(state: dict, scale: jax.Array, images: jax.Array) -> tuple[dict, jax.Array]:
    """A step of the kind that is mapped: a matrix product, a draw from the member's own key, a
    reduction.
    """
    noise = jax.random.normal(state["key"], images.shape)
    output = jnp.tanh((images + scale * noise) @ state["weights"])
    return {**state, "weights": state["weights"] - 0.1 * images.T @ output}, output.sum(axis=1)


def members(count: int) -> tuple[dict, jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    weights = jnp.asarray(rng.normal(size=(count, 30, 30)), jnp.float32)
    state = {"weights": weights, "key": jax.random.split(jax.random.key(0), count)}
    return state, jnp.linspace(0.1, 0.5, count), jnp.asarray(rng.normal(size=(64, 30)), jnp.float32)


def test_one_member_with_an_axis_is_the_plain_program():
    """The same bits, and no transposition that the plain program has not."""
    state, scale, images = members(1)
    plain = (
        jax.jit(per_member).lower(jax.tree.map(lambda x: x[0], state), scale[0], images).compile()
    )
    mapped = jax.jit(over_members(per_member, 1, shared=1)).lower(state, scale, images).compile()
    expected = plain(jax.tree.map(lambda x: x[0], state), scale[0], images)
    found = mapped(state, scale, images)
    assert all(leaf.shape[0] == 1 for leaf in jax.tree.leaves(found))
    assert (found[1][0] == expected[1]).all()
    assert (found[0]["weights"][0] == expected[0]["weights"]).all()
    assert str(mapped.as_text()).count(" transpose(") == str(plain.as_text()).count(" transpose(")


def test_several_members_are_each_what_it_is_alone():
    state, scale, images = members(3)
    together = jax.jit(over_members(per_member, 3, shared=1))(state, scale, images)
    for k in range(3):
        alone = per_member(jax.tree.map(lambda x, k=k: x[k], state), scale[k], images)
        np.testing.assert_allclose(
            together[0]["weights"][k], alone[0]["weights"], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(together[1][k], alone[1], rtol=1e-4, atol=1e-4)


def test_one_device_moves_nothing():
    placement, tree = (
        make_placement("all", members=2, batch_size=8) if jax.device_count() == 1 else Placement(),
        {"x": 1},
    )
    assert placement.put(tree) is tree
    assert placement.put_everywhere(tree) is tree
