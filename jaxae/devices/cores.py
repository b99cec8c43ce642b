"""A CPU's cores as devices of JAX, which takes the whole processor for one."""

import contextlib
import os

import jax

FLAG = "xla_force_host_platform_device_count"


def take_cores(devices: str, *, members: int) -> None:
    """Makes a CPU as many devices as --devices asks for, at most one a core. Before any other use of JAX, or nothing changes.

    A number that JAX or XLA has been given already stays, and on a GPU this changes nothing. members: models in the program.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = int(devices) if devices.isdecimal() else even_share(members, cores) if devices == "auto" else 1
    if asked < 2 or getattr(jax.config, "jax_num_cpu_devices", -1) >= 0 or FLAG in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):  # JAX has begun, with the devices that there are
        jax.config.update("jax_num_cpu_devices", min(asked, cores))


def even_share(members: int, most: int) -> int:
    """The most devices, up to so many, that all get the same number of members."""
    return max(count for count in range(1, most + 1) if members % count == 0)
