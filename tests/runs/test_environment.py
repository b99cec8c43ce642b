"""What JAX is told that changes draws or rounding is recorded; the noise of an evaluation is what
it says it is.
"""

import contextlib

import jax
import numpy as np
import pytest

from jaxae.evaluation.reconstruction import NOISE_KEY, noise_key
from jaxae.inference import corrupt
from jaxae.runs.environment import changes, describe_environment, settings, variables

GREY = np.full((2, 28, 28), 0.5, np.float32)


@contextlib.contextmanager
def told(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


@pytest.mark.parametrize(
    ("name", "value", "draws"),
    [
        ("jax_threefry_partitionable", False, True),
        ("jax_random_seed_offset", 3, True),
        ("jax_default_matmul_precision", "float32", False),
        ("jax_default_prng_impl", "rbg", False),  # every key of ours names its own
        ("jax_threefry_gpu_kernel_lowering", True, False),
        ("jax_disable_jit", True, False),
    ],
)
def test_a_setting_is_recorded_and_named_where_the_noise_is_another(name, value, draws):
    usual = corrupt(GREY, std=0.1)
    assert (noise_key(), settings()) == (NOISE_KEY, {})
    with told(name, value):
        assert (
            np.abs(corrupt(GREY, std=0.1) - usual) > 1e-6
        ).any() == draws  # without jit sums are rounded otherwise
        assert (name in noise_key()) == draws
        assert settings() == ({} if name == "jax_default_prng_impl" else {name: str(value)})
        assert describe_environment("x", "0")["settings"].get(name) == settings().get(name)


def test_xla_flags_are_recorded_without_this_machines_paths(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/home/someone/x --xla_cpu_enable_fast_math=true")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    assert variables() == {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}


def test_a_resumed_run_says_whether_draws_or_last_bits_differ():
    now = describe_environment("x", "0") | {"settings": {"jax_threefry_partitionable": "False"}}
    assert "every draw differs from here on" in changes(now | {"settings": {}}, now)[0]
    assert (
        "the last bits may differ"
        in changes(now | {"settings": now["settings"] | {"XLA_FLAGS": "-a"}}, now)[0]
    )
    assert (
        changes({name: value for name, value in now.items() if name != "settings"}, now) == []
    )  # of an earlier version
    assert changes(now, now) == []
    assert "the last bits may differ" in changes(now | {"settings": ["damaged"]}, now)[0]
