"""Which devices compute what: members over devices, and batches over devices."""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxae.core.rng import data_to_keys, keys_to_data
from jaxae.core.state import TrainState, stack_members, take_member
from jaxae.data.large import rows_of
from jaxae.errors import InputError

FLAG = "xla_force_host_platform_device_count"


def over_members(function: Callable, count: int, *, shared: int) -> Callable:
    """Return a function of one member as one of `count` members.

    All arguments but the last `shared`, and all results, get an axis [M, ...]. One member runs
    unmapped: with a mapped axis of length one XLA would transpose the weights in every step.
    """

    def members(*arguments: Any) -> Any:
        mapped = arguments[: len(arguments) - shared]
        rest = arguments[len(arguments) - shared :]
        if count > 1:
            axes = (0,) * len(mapped) + (None,) * shared
            return jax.vmap(function, in_axes=axes)(*arguments)

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
    """Members over the mesh's first axis, each batch over its second; the rest on every device."""

    mesh: Mesh | None = None
    """None is one device, where nothing has to be placed."""

    @property
    def size(self) -> int:
        """Number of devices."""
        return self.mesh.size if self.mesh else 1

    @property
    def by_member(self) -> NamedSharding | None:
        """The sharding of arrays with a member axis."""
        if self.mesh is None:
            return None
        several = self.mesh.shape["members"] > 1
        return NamedSharding(self.mesh, PartitionSpec("members") if several else PartitionSpec())

    @property
    def everywhere(self) -> NamedSharding | None:
        """The sharding of arrays that every device has a copy of."""
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec())

    @property
    def by_batch(self) -> NamedSharding | None:
        """The sharding of batches [M, S, B, ...]: members, and each batch's images."""
        if self.mesh is None:
            return None
        return NamedSharding(self.mesh, PartitionSpec("members", None, "batch"))

    def put_rows(self, images: np.ndarray, order: np.ndarray) -> jax.Array | np.ndarray:
        """Return images[order] on its devices, u8[M, S, B, H, W, C]. order: i32[M, S, B].

        Each process reads the images of its own devices.
        """
        sharding = self.by_batch
        if sharding is None:
            return rows_of(images, order)

        def own(part: Any) -> np.ndarray:
            return rows_of(images, order[part[:3]])

        return jax.make_array_from_callback((*order.shape, *images.shape[1:]), sharding, own)

    def put(self, tree: Any) -> Any:
        """Put arrays with a member axis on the devices of their members.

        Each process has the whole of them.
        """
        return _put(tree, self.by_member)

    def stack(self, states: Sequence[TrainState]) -> TrainState:
        """Return the members' states as one, on their devices."""
        return self.put(jax.jit(stack_members)(states))  # jit: one program, not one a leaf

    def put_everywhere(self, tree: Any) -> Any:
        """Put arrays without a member axis on every device."""
        return _put(tree, self.everywhere)

    def fetch(self, states: TrainState, k: int) -> TrainState:
        """Return the k-th member's state, on one device of this process."""
        taken = jax.jit(take_member, out_shardings=self.everywhere)(states, k)
        if self.mesh is None:
            return taken
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), taken)

    def split_batch(self, batch: jax.Array) -> jax.Array:
        """Share a batch's images out, so that XLA takes its statistics over all devices.

        A batch that can't be shared evenly stays whole on each. No value changes.
        """
        if self.mesh is None or len(batch) % self.mesh.shape["batch"]:
            return batch
        sharding = NamedSharding(self.mesh, PartitionSpec("batch"))
        return jax.lax.with_sharding_constraint(batch, sharding)

    def over_members(self, function: Callable, count: int, *, shared: int = 0) -> Callable:
        """Return over_members of the function, each device over its own members."""
        mesh = self.mesh
        if mesh is None:
            return over_members(function, count, shared=shared)
        own = over_members(function, count // mesh.shape["members"], shared=shared)

        def members(*arguments: Any) -> Any:
            mapped = (PartitionSpec("members"),) * (len(arguments) - shared)
            sharded = jax.shard_map(
                own,
                mesh=mesh,
                in_specs=mapped + (PartitionSpec(),) * shared,
                out_specs=PartitionSpec("members"),
                axis_names={"members"},
                check_vma=False,
            )
            return sharded(*arguments)

        return members


def make_placement(devices: str | int, *, members: int, batch_size: int) -> Placement:
    """Return the placement over "all" devices of each process, over a number of them, or "auto".

    Members come first: as many of the devices as divide their number; the rest shares out each
    member's batch. auto: on a CPU in one process as many devices as divide the members, otherwise
    one. Raises InputError.
    """
    of_each = [jax.local_devices(process) for process in range(jax.process_count())]
    there = len(of_each[0])
    kind = of_each[0][0].device_kind

    count = 0
    if devices == "all":
        count = there
    elif devices == "auto":
        count = even_share(members, there) if kind == "cpu" and len(of_each) == 1 else 1
    elif str(devices).isdecimal():
        count = int(devices)
    if not 1 <= count <= there:
        raise InputError(
            f"devices is {devices}, but there are {there} ({kind}): "
            f"give a number from 1 to {there}, all, or auto"
        )

    chosen = [device for own in of_each for device in own[:count]]
    if len(chosen) == 1:
        return Placement()

    across = math.gcd(members, len(chosen))
    sharing = len(chosen) // across
    if batch_size % sharing:
        raise InputError(
            f"batch_size is {batch_size}, not a multiple of the {sharing} devices that share it: "
            "give a multiple"
        )
    mesh = jax.make_mesh(
        (across, sharing), ("members", "batch"), axis_types=(AxisType.Auto,) * 2, devices=chosen
    )
    return Placement(mesh)


def _put(tree: Any, sharding: NamedSharding | None) -> Any:
    if sharding is None:
        return tree

    def place(leaf: Any) -> jax.Array:
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda part: whole[part])

    return data_to_keys(jax.tree.map(place, keys_to_data(tree)), tree)


def take_cores(devices: str, *, members: int) -> None:
    """Make a CPU as many devices as are asked for, at most one a core.

    It must come before any other use of JAX. A number that JAX or XLA has been given already stays,
    and on a GPU nothing changes. members: models in the program.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))

    asked = 1
    if devices == "auto":
        asked = even_share(members, cores)
    elif devices.isdecimal():
        asked = int(devices)

    given = getattr(jax.config, "jax_num_cpu_devices", -1) >= 0
    if asked < 2 or given or FLAG in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):  # JAX has begun, with the devices that there are
        jax.config.update("jax_num_cpu_devices", min(asked, cores))


def even_share(members: int, most: int) -> int:
    """Return the largest number of devices, up to `most`, that divides the members."""
    return max(count for count in range(1, most + 1) if members % count == 0)
