"""What a result depends on beside its recipe: the versions, the machine, the data."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxae.errors import InputError

ORIGIN = "resumed_from"
"""The entry of environment.json that says which run and epoch a run went on from, where it did not begin afresh."""
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


DRAWS = {"jax_threefry_partitionable": True, "jax_random_seed_offset": 0, "jax_enable_x64": False}
"""JAX's settings that change what a key draws, each with its default."""
ARITHMETIC = {
    "jax_default_matmul_precision": None,
    "jax_numpy_dtype_promotion": "standard",
    "jax_disable_jit": False,
    "jax_threefry_gpu_kernel_lowering": False,
}
"""JAX's settings that change how numbers are rounded, each with its default."""
VARIABLES = ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE", "LIBTPU_INIT_ARGS")
"""Environment variables that may change how numbers are rounded."""


def settings(*, of: Mapping[str, Any] = DRAWS | ARITHMETIC) -> dict[str, str]:
    """JAX's settings that are not at their defaults, by name."""
    found = {name: getattr(jax.config, name, default) for name, default in of.items()}
    values = {
        name: getattr(value, "value", value) for name, value in found.items()
    }  # some are enums
    return {name: str(value) for name, value in values.items() if value != of[name]}


def variables() -> dict[str, str]:
    """Environment variables that may change rounding, where they are set; without the places of XLA's dumps."""
    words = {
        name: [word for word in os.environ.get(name, "").split() if "dump" not in word]
        for name in VARIABLES
    }
    return {name: " ".join(each) for name, each in words.items() if each}


def versions() -> dict[str, str]:
    """Python's and the packages' versions."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def cpu() -> dict[str, str]:
    """The processor's model and its features, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {"model": platform.processor() or platform.machine(), "features": ""}
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    stripped = {name.strip(): value.strip() for name, value in fields.items()}
    varying = {
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
    rest = " ".join(
        f"{name}={value}" for name, value in sorted(stripped.items()) if name not in varying
    )
    return {"model": stripped.get("model name", platform.machine()), "features": rest}


def describe_environment(data: str, data_digest: str) -> dict[str, Any]:
    """The contents of environment.json."""
    return {
        "data": data,
        "data_sha256": data_digest,
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": cpu()["model"],
        "cpu_cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "devices": [device.device_kind for device in jax.devices()],
        "matmul_precision": str(
            getattr(jax.config, "jax_default_matmul_precision", None) or "default"
        ),
        "settings": settings() | variables(),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has changed since a run began, a line each. Raises InputError where it is the data: that would be another run."""
    old, new = before.get("data_sha256", now["data_sha256"]), now["data_sha256"]
    if old != new:
        raise InputError(
            f"The data are not those that the run began with (SHA-256 {new}, not {old}): name another --run-dir"
        )
    drawn = _draws(before) not in (None, _draws(now))
    effect = {"settings": "every draw differs from here on"} if drawn else {}
    return [
        f"{name}: {now[name]}, not {before[name]} as when the run began; {effect.get(name, 'the last bits may differ')}"
        for name in now
        if name in before and before[name] != now[name]
    ]


def _draws(environment: Mapping[str, Any]) -> dict[str, Any] | None:
    found = environment.get("settings")
    return {name: found.get(name) for name in DRAWS} if isinstance(found, dict) else None
