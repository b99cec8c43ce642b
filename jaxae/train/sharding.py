"""Which devices compute what: members over devices, batches over devices, and functions of one member over many."""

import contextlib
import functools
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxae.core.rng import data_to_keys, keys_to_data
from jaxae.core.state import TrainState, take_member
from jaxae.errors import InputError


def over_members(function: Callable, count: int, *, shared: int = 0) -> Callable:
    """A function of one member as one of `count`: all arguments but the last `shared`, and all results, get an axis [M, ...].

    One member runs unmapped: with a mapped axis of length one XLA would transpose the weights in every step.
    """

    def members(*arguments):
        mapped, rest = arguments[: len(arguments) - shared], arguments[len(arguments) - shared :]
        if count > 1:
            return jax.vmap(function, in_axes=(*[0] * len(mapped), *[None] * shared))(*arguments)
        alone = function(*jax.tree.map(lambda x: x[0], mapped), *rest)
        return jax.tree.map(lambda x: x[None], alone)

    return members


def keep_inactive(count: int, active: jax.Array, new: TrainState, old: TrainState) -> TrainState:
    """Return the new state where a member is active.

    One member alone always is: to select would cost a copy of the state.
    """
    if count == 1:
        return new
    return jax.tree.map(functools.partial(jnp.where, active), new, old)


class Placement(NamedTuple):
    """Members are shared out over the mesh's first axis, each batch over its second; all else is on every device."""

    mesh: Mesh | None = None
    """None is one device, where nothing has to be placed."""

    @property
    def size(self) -> int:
        """How many devices."""
        return self.mesh.size if self.mesh else 1

    @property
    def by_member(self) -> NamedSharding | None:
        """Of what has a member axis."""
        if self.mesh is None:
            return None
        return NamedSharding(
            self.mesh,
            PartitionSpec("members") if self.mesh.shape["members"] > 1 else PartitionSpec(),
        )

    @property
    def everywhere(self) -> NamedSharding | None:
        """Of what every device has a copy of."""
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec())

    def put(self, tree: Any) -> Any:
        """Arrays with a member axis, on the devices of their members; each process has the whole of them."""
        return _put(tree, self.by_member)

    def put_everywhere(self, tree: Any) -> Any:
        """Arrays without one: a copy on every device."""
        return _put(tree, self.everywhere)

    def fetch(self, states: TrainState, k: int) -> TrainState:
        """The k-th member's state, on one device of this process."""
        taken = jax.jit(take_member, out_shardings=self.everywhere)(states, k)
        return (
            taken
            if self.mesh is None
            else jax.tree.map(lambda leaf: leaf.addressable_data(0), taken)
        )

    def split_batch(self, batch: jax.Array) -> jax.Array:
        """The same batch, its images shared out; so XLA takes the batch's statistics and gradients over all devices.

        A batch that they can't share evenly stays whole on each.
        """
        if self.mesh is None or len(batch) % self.mesh.shape["batch"]:
            return batch
        return jax.lax.with_sharding_constraint(
            batch, NamedSharding(self.mesh, PartitionSpec("batch"))
        )

    def over_members(self, function: Callable, count: int, *, shared: int = 0) -> Callable:
        """over_members, each device over its own."""
        if self.mesh is None:
            return over_members(function, count, shared=shared)
        own, mesh = (
            over_members(function, count // self.mesh.shape["members"], shared=shared),
            self.mesh,
        )

        def members(*arguments):
            specs = (PartitionSpec("members"),) * (len(arguments) - shared) + (
                PartitionSpec(),
            ) * shared
            sharded = jax.shard_map(
                own,
                mesh=mesh,
                in_specs=specs,
                out_specs=PartitionSpec("members"),
                axis_names={"members"},
                check_vma=False,
            )
            return sharded(*arguments)

        return members


def make_placement(devices: str | int, *, members: int, batch_size: int) -> Placement:
    """The placement over "all" devices of each process, the first so many, or "auto". Raises InputError.

    Members come first: as many of the devices as divide their number, the rest shares out each member's batch.
    auto: of a CPU in one process as many devices as divide the members; otherwise one.
    """
    of_each = [jax.local_devices(process) for process in range(jax.process_count())]
    there, kind = len(of_each[0]), of_each[0][0].device_kind
    if devices == "auto":
        devices = even_share(members, there) if kind == "cpu" and len(of_each) == 1 else 1
    count = there if devices == "all" else int(devices) if str(devices).isdecimal() else 0
    if not 1 <= count <= there:
        least = f"--devices is {devices}, but there are {there} ({kind})"
        raise InputError(f"{least}: give a number from 1 to {there}, all, or auto")
    chosen = [device for its in of_each for device in its[:count]]
    if len(chosen) == 1:
        return Placement()
    across = math.gcd(members, len(chosen))
    if batch_size % (len(chosen) // across):
        raise InputError(
            f"batch_size is {batch_size}, not a multiple of the {len(chosen) // across} devices that share it: give a multiple"
        )
    shape = (across, len(chosen) // across)
    return Placement(
        jax.make_mesh(shape, ("members", "batch"), axis_types=(AxisType.Auto,) * 2, devices=chosen)
    )


def _put(tree: Any, sharding: NamedSharding | None) -> Any:
    if sharding is None:
        return tree

    def place(leaf: Any) -> jax.Array:
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda part: whole[part])

    return data_to_keys(jax.tree.map(place, keys_to_data(tree)), tree)


FLAG = "xla_force_host_platform_device_count"


def take_cores(devices: str, *, members: int) -> None:
    """Makes a CPU as many devices as --devices asks for, at most one a core. Before any other use of JAX, or nothing changes.

    A number that JAX or XLA has been given already stays, and on a GPU this changes nothing. members: models in the program.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    asked = (
        int(devices)
        if devices.isdecimal()
        else even_share(members, cores)
        if devices == "auto"
        else 1
    )
    if (
        asked < 2
        or getattr(jax.config, "jax_num_cpu_devices", -1) >= 0
        or FLAG in os.environ.get("XLA_FLAGS", "")
    ):
        return
    with contextlib.suppress(RuntimeError):  # JAX has begun, with the devices that there are
        jax.config.update("jax_num_cpu_devices", min(asked, cores))


def even_share(members: int, most: int) -> int:
    """The most devices, up to so many, that all get the same number of members."""
    return max(count for count in range(1, most + 1) if members % count == 0)
