"""JAX's switches that a user has on for other work change no bit, and stay on."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import jaxae
from jaxae.data.load import load_dataset
from jaxae.evaluation import plots
from jaxae.evaluation.noise_curve import unseen_examples
from jaxae.switches import USUAL
from tests import ROOT

STRICT = {
    "jax_enable_x64": True,
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_disable_jit": True,
}
"""The other value of each switch."""


@contextlib.contextmanager
def switched(switches):
    """Set switches for the whole process: worker threads have to be right too."""
    before = {name: getattr(jax.config, name) for name in switches}
    for name, value in switches.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def through_every_door(dataset, run_dir):
    """Return arrays of every public function that computes."""
    config = jaxae.Config(
        dataset="synthetic", epochs=2, batch_size=64, learning_rate=3e-3, widths=(64, 16)
    )
    lines: list[str] = []
    in_memory = jaxae.fit(config, dataset, report=lambda told: lines.append(str(told)))
    on_disk = jaxae.fit(config, dataset, run_dir=run_dir, report=lambda told: None)
    run = jaxae.load(run_dir.with_name(run_dir.name + "-SYNTHETIC"))

    images = dataset.test.images
    latents = jaxae.encode(run, images)
    epochs = [line for line in lines if line.startswith("epoch ")]
    plots.latent_space(run, dataset)

    found = {
        "epochs": np.array([line.split("  lr")[0] for line in epochs]),
        "noise": jaxae.corrupt(images, std=0.25),
        "latents": latents,
        "latents in memory": jaxae.encode(in_memory, images),
        "latents on disk": jaxae.encode(on_disk, images),
        "decoded": jaxae.decode(run, latents),
        "denoised": jaxae.reconstruct(run, images),
        "drawn": load_dataset("synthetic").train.images[:500],
        "mse": np.array(jaxae.evaluate(run, dataset).noisy.mse),
    }
    pairs = unseen_examples(run, dataset)
    for kind, example in pairs.items():
        found[kind] = np.concatenate([np.ravel(image) for image in example])
    return found


def test_every_door_gives_the_same_bits_under_other_switches(dataset, tmp_path):
    """Noise, losses and weights: x64 would draw other numbers, strict promotion would raise."""
    usual = through_every_door(dataset, tmp_path / "usual")
    assert STRICT.keys() == USUAL.keys()

    with switched(STRICT):
        assert {name: getattr(jax.config, name) for name in STRICT} == STRICT
        other = through_every_door(dataset, tmp_path / "other")
        assert {name: getattr(jax.config, name) for name in STRICT} == STRICT

    assert len(usual["epochs"]) == 2
    for name, expected in usual.items():
        assert other[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(other[name], expected, err_msg=name)


def test_the_estimator_gives_the_same_bits_under_other_switches():
    pytest.importorskip("sklearn")
    rows = np.random.default_rng(0).normal(size=(300, 12))
    estimator = jaxae.DenoisingAutoencoder(epochs=2, widths=(8, 4), random_state=0)

    usual = estimator.fit(rows)
    expected = [usual.transform(rows), usual.denoise(rows), usual.validation_loss_curve_]
    with switched(STRICT):
        other = estimator.fit(rows)
        found = [other.transform(rows), other.denoise(rows), other.validation_loss_curve_]

    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def test_a_command_computes_under_the_usual_switches():
    """Their environment variables are set, and the command sets them back for its process."""
    script = """
from jaxae.cli import command

def main() -> None:
    import jax
    from jaxae.switches import USUAL
    print({name: getattr(jax.config, name) for name in USUAL} == USUAL)

command.run(main)
"""
    environment = {name.upper(): str(value).lower() for name, value in STRICT.items()}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ | environment,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_gets_an_error_and_does_not_hang(dataset):
    jaxae.corrupt(dataset.test.images[:1], std=0.1)
    child = os.fork()
    if not child:
        code = 0
        try:
            jaxae.corrupt(dataset.test.images[:1], std=0.1)
        except jaxae.InputError as error:
            code = 7 if "spawn" in str(error) else 1
        finally:
            os._exit(code)

    for _ in range(200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert jaxae.corrupt(dataset.test.images[:1], std=0.1).shape == (1, 28, 28, 1)  # the parent
