"""What a result depends on besides its recipe: the versions, the machine, the data."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxae.errors import InputError

ORIGIN = "resumed_from"
"""The entry of environment.json that names the run and epoch from which a run was resumed."""
PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "tensorflow-datasets",
    "numpy",
    "scikit-image",
    "matplotlib",
)
DRAWS = {"jax_threefry_partitionable": True, "jax_random_seed_offset": 0}
"""JAX's settings that change what a key draws, each with its default; see also switches.USUAL."""
ARITHMETIC = {
    "jax_default_matmul_precision": None,
    "jax_disable_jit": False,
    "jax_threefry_gpu_kernel_lowering": False,
}
"""JAX's settings that change how numbers are rounded, each with its default."""
VARIABLES = ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE", "LIBTPU_INIT_ARGS")
"""Environment variables that may change how numbers are rounded."""
VARYING = {
    "processor",
    "core id",
    "apicid",
    "initial apicid",
    "cpu MHz",
    "bogomips",
    "BogoMIPS",
    "siblings",
    "cpu cores",
}
"""Fields of /proc/cpuinfo that differ between cores, or from one moment to the next."""


def settings(*, of: Mapping[str, Any] = DRAWS | ARITHMETIC) -> dict[str, str]:
    """Return JAX's settings that are not at their defaults, by name."""
    found = {}
    for name, default in of.items():
        value = getattr(jax.config, name, default)
        plain = getattr(value, "value", value)  # some are enums
        if plain != default:
            found[name] = str(plain)
    return found


def variables() -> dict[str, str]:
    """Return the VARIABLES that are set, without the places where XLA dumps its programs."""
    found = {}
    for name in VARIABLES:
        words = [word for word in os.environ.get(name, "").split() if "dump" not in word]
        if words:
            found[name] = " ".join(words)
    return found


def versions() -> dict[str, str]:
    """Return Python's and the packages' versions."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages}


def cpu() -> dict[str, str]:
    """Return the processor's model and its features, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {"model": platform.processor() or platform.machine(), "features": ""}

    fields = {}
    for line in text.split("\n\n")[0].splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip()] = value.strip()

    rest = [f"{name}={value}" for name, value in sorted(fields.items()) if name not in VARYING]
    return {"model": fields.get("model name", platform.machine()), "features": " ".join(rest)}


def multiplies_bfloat16() -> bool:
    """Return whether JAX runs on a CPU that multiplies bfloat16, at its usual precision."""
    instructions = {"avx512_bf16", "amx_bf16"} & set(cpu()["features"].split())
    as_usual = jax.default_backend() == "cpu" and _matmul_precision() == "default"
    return as_usual and bool(instructions)


def describe_environment(
    data: str, data_digest: str, *, white: int | None = None
) -> dict[str, Any]:
    """Return the contents of environment.json. white: as Dataset's, written where there is one."""
    return {
        "data": data,
        "data_sha256": data_digest,
        **({} if white is None else {"white": white}),
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": cpu()["model"],
        "cpu_cores": _cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "matmul_precision": _matmul_precision(),
        "settings": settings() | variables(),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return a line about each thing that has changed since a run began.

    before, now: contents of environment.json. Raises InputError if the data have changed.
    """
    old, new = before.get("data_sha256", now["data_sha256"]), now["data_sha256"]
    if old != new:
        raise InputError(
            f"The data are not those that the run began with (SHA-256 {new}, not {old}): "
            "give another run_dir"
        )

    lines = []
    for name, value in now.items():
        if name == "data":  # its title is another where it has moved
            continue
        if name in before and before[name] != value:
            effect = "the last bits may differ"
            if name == "settings" and _draws(before) not in (None, _draws(now)):
                effect = "every draw differs from here on"
            lines.append(f"{name}: {value}, not {before[name]} as when the run began; {effect}")
    return lines


def _cores() -> int | None:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _matmul_precision() -> str:
    return str(getattr(jax.config, "jax_default_matmul_precision", None) or "default")


def _draws(environment: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the settings that change draws, None if an environment does not tell."""
    found = environment.get("settings")
    if not isinstance(found, dict):
        return None
    return {name: found.get(name) for name in DRAWS}
