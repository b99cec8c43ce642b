"""Where arrays live when several devices share the work, of one process or of several: a mesh of members × batch.

One device needs none of it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxae.errors import InputError
from jaxae.rng import data_to_keys, keys_to_data


class Layout(NamedTuple):
    """Members are shared out over the mesh's first axis, each batch over its second; all else is on every device."""

    mesh: Mesh

    @property
    def states(self) -> NamedSharding:
        """Of a state, or of states stacked on a leading axis."""
        return NamedSharding(self.mesh, PartitionSpec("members") if self.mesh.shape["members"] > 1 else PartitionSpec())

    @property
    def shared(self) -> NamedSharding:
        """Of what every device has a copy of."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def of_an_epoch(self) -> dict[str, Any]:
        """jit's options for (state, values, running, images) → (state, losses)."""
        mine = self.states
        return {"in_shardings": (mine, mine, mine, self.shared), "out_shardings": (mine, self.shared)}

    def split_batch(self, batch: jax.Array) -> jax.Array:
        """The same batch, its images shared out; so XLA takes the batch's statistics and gradients over all devices.

        A batch that they can't share evenly stays whole on each.
        """
        if len(batch) % self.mesh.shape["batch"]:
            return batch
        return jax.lax.with_sharding_constraint(batch, NamedSharding(self.mesh, PartitionSpec("batch")))

    def share_members(self, mapped: Callable, alone: Callable, *, count: int) -> Callable:
        """mapped, by each device over its own of so many members; or alone, its function of one, where each device has one.

        Both are of (state, values, running, images). With an axis of length one XLA would transpose the weights in every step.
        """

        def one(state, values, running, images):
            state, values, running = jax.tree.map(lambda x: x[0], (state, values, running))
            return jax.tree.map(lambda x: x[None], alone(state, values, running, images))

        mine = PartitionSpec("members")
        return jax.shard_map(
            one if count == self.mesh.shape["members"] else mapped,
            mesh=self.mesh,
            in_specs=(mine, mine, mine, PartitionSpec()),
            out_specs=(mine, mine),
            axis_names={"members"},
            check_vma=False,
        )


def make_layout(devices: str | int, *, members: int, batch_size: int) -> Layout | None:
    """The layout over "all" devices of each process or the first so many; None for one in all. Raises InputError.

    Members come first: as many of the devices as divide their number, the rest shares out each member's batch.
    """
    of_each = [jax.local_devices(process) for process in range(jax.process_count())]
    there = len(of_each[0])
    count = there if devices == "all" else int(devices) if str(devices).isdecimal() else 0
    if not 1 <= count <= there:
        kind = of_each[0][0].device_kind
        raise InputError(f"--devices is {devices}, but there are {there} ({kind}): give 1 to that, or all")
    chosen = [device for its in of_each for device in its[:count]]
    if len(chosen) == 1:
        return None
    across = math.gcd(members, len(chosen))
    if batch_size % (len(chosen) // across):
        raise InputError(
            f"batch_size is {batch_size}, no multiple of the {len(chosen) // across} devices that share it: give one"
        )
    jax.config.update("jax_use_shardy_partitioner", False)  # it can't lower philox (jax 0.10: "Unable to convert MHLO")
    shape = (across, len(chosen) // across)
    return Layout(jax.make_mesh(shape, ("members", "batch"), axis_types=(AxisType.Auto,) * 2, devices=chosen))


def put(tree: Any, sharding: NamedSharding | None) -> Any:
    """The arrays where a layout wants them; each process has the whole of them, and keeps its part. None: as they are."""
    return tree if sharding is None else data_to_keys(jax.tree.map(lambda x: _put(x, sharding), keys_to_data(tree)), tree)


def fetch(tree: Any) -> Any:
    """Arrays that every device has a copy of, on one device of this process."""
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def _put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    whole = np.asarray(leaf)
    return jax.make_array_from_callback(whole.shape, sharding, lambda part: whole[part])
