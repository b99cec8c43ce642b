"""Where arrays live when several devices share the work: a mesh of members × batch. One device needs none of it."""

import math
from typing import Any, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxae.errors import InputError


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
        return {"in_shardings": (mine, mine, mine, self.shared), "out_shardings": (mine, mine)}

    def split_batch(self, batch: jax.Array) -> jax.Array:
        """The same batch, its images shared out; so XLA takes the batch's statistics and gradients over all devices."""
        return jax.lax.with_sharding_constraint(batch, NamedSharding(self.mesh, PartitionSpec("batch")))


def make_layout(devices: str | int, *, members: int, batch_size: int) -> Layout | None:
    """The layout over "all" devices or the first so many; None for one. Raises InputError.

    Members come first: as many of the devices as divide their number, the rest shares out each member's batch.
    """
    there = jax.devices()
    count = len(there) if devices == "all" else int(devices) if str(devices).isdecimal() else 0
    if not 1 <= count <= len(there):
        raise InputError(f"--devices is {devices}, but there are {len(there)} ({there[0].device_kind}): give 1 to that, or all")
    if count == 1:
        return None
    across = math.gcd(members, count)
    if batch_size % (count // across):
        raise InputError(f"batch_size is {batch_size}, which {count // across} devices can't share evenly: give a multiple")
    jax.config.update("jax_use_shardy_partitioner", False)  # it can't lower philox (jax 0.10: "Unable to convert MHLO")
    shape = (across, count // across)
    return Layout(jax.make_mesh(shape, ("members", "batch"), axis_types=(AxisType.Auto,) * 2, devices=there[:count]))


def put(tree: Any, sharding: NamedSharding | None) -> Any:
    """The arrays where a layout wants them, or as they are."""
    return tree if sharding is None else jax.device_put(tree, sharding)


def fetch(tree: Any) -> Any:
    """The arrays on one device of this process, whole."""
    return jax.device_put(tree, jax.local_devices()[0])
