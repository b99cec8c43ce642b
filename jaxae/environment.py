"""What a result depends on beside its recipe: the versions, the machine, the data."""

import importlib.metadata
import os
import platform

import jax

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tensorflow-datasets", "numpy", "scikit-image", "matplotlib")


def versions() -> dict[str, str]:
    """Python's and the packages' versions."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def describe_environment(data: str, data_digest: str) -> dict[str, object]:
    """The contents of environment.json."""
    return {
        "data": data,
        "data_sha256": data_digest,
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": [device.device_kind for device in jax.devices()],
        "matmul_precision": str(getattr(jax.config, "jax_default_matmul_precision", None) or "default"),
    }
