"""The steps of an epoch on images in the host's memory: block by block, to the bits of images on
the device.
"""

import os
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jaxae.build import first_states
from jaxae.config import Config
from jaxae.core.neighbours import nearest_neighbours
from jaxae.core.state import stack_members
from jaxae.data import large
from jaxae.errors import silent
from jaxae.runs.manifest import tree_digest
from jaxae.train import epoch, feed, loop
from jaxae.train.feed import FromHost, block_sizes, compile_steps
from jaxae.train.loop import fit_members
from jaxae.train.population import recipes
from jaxae.train.sharding import Placement
from tests.train.test_loop import metrics

CONFIG = Config(
    dataset="synthetic",
    epochs=2,
    batch_size=32,
    learning_rate=3e-3,
    widths=(64, 16),
)


EMITTERS: dict[str, Any] = {}
if "xla_cpu_use_fusion_emitters" in os.environ["XLA_FLAGS"]:  # XLA knows it: conftest has set it
    EMITTERS = {"xla_cpu_use_fusion_emitters": True}


@pytest.fixture
def _compiled_as_users_do(monkeypatch):
    """Tests compile with less of XLA and LLVM, where a block of one step is rounded as others."""
    _compile_with(monkeypatch, **EMITTERS, xla_backend_optimization_level=3)


@pytest.fixture
def _with_emitters(monkeypatch):
    """Without them two programs of one sum differ in its last bit."""
    _compile_with(monkeypatch, **EMITTERS)


def _compile_with(monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    compiled = jax.stages.Lowered.compile
    monkeypatch.setattr(jax.stages.Lowered, "compile", lambda lowered: compiled(lowered, options))


def test_blocks_are_as_long_as_asked_and_never_one_step():
    assert block_sizes(16, 100) == [16]
    assert block_sizes(16, 3) == [3, 3, 3, 3, 4]
    assert block_sizes(16, 6) == [6, 6, 4]
    assert block_sizes(17, 0) == [2] * 7 + [3]


@pytest.mark.usefixtures("_compiled_as_users_do")
def test_images_from_the_host_train_to_the_same_bits(dataset):
    images = dataset.train.images[: 17 * CONFIG.batch_size]
    run, from_host = trained([CONFIG], images, on_host=True, steps=1)
    assert isinstance(run, FromHost)
    assert set(run.programs) == {2, 3}
    assert from_host == trained([CONFIG], images)[1]


@pytest.mark.usefixtures("_with_emitters")
def test_a_population_on_neighbours_trains_to_the_same_bits_from_the_host(dataset):
    configs = recipes(replace(CONFIG, neighbor_weight=1.0), seeds=2)
    images = dataset.train.images[:512]
    near = nearest_neighbours(images, count=20)
    expected = trained(configs, images, neighbours=near)[1]
    from_host, other = (
        trained(configs, images, neighbours=each, on_host=True, steps=4)[1]
        for each in (near, near[:, ::-1])
    )
    assert from_host == expected != other


def trained(
    configs: list[Config], images: np.ndarray, *, steps: int = 0, **options: Any
) -> tuple[Any, str]:
    """Return the compiled epoch, and the digest of what it makes of the first states."""
    block = steps * CONFIG.batch_size * images[0].nbytes * len(configs)
    run = compile_steps(configs, images, placement=Placement(), block_bytes=block, **options)
    outcome = run(stack_members(first_states(configs)), np.ones(len(configs), bool))
    return run, tree_digest(outcome)


@pytest.mark.usefixtures("_with_emitters")
def test_a_run_with_its_images_on_the_host_is_the_same_run(dataset, tmp_path):
    for name in ("device", "host"):
        fit_members(
            [CONFIG], dataset, [tmp_path / name], images_on_host=name == "host", report=silent
        )
    assert metrics(tmp_path / "host") == metrics(tmp_path / "device")
    assert metrics(tmp_path / "host")


def test_images_that_take_more_than_half_of_the_devices_free_memory_stay_on_the_host(
    dataset, monkeypatch
):
    class Device:
        """A device with so much memory."""

        def __init__(self, limit: int):
            self.limit = limit

        def memory_stats(self) -> dict[str, int]:
            return {"bytes_limit": self.limit, "bytes_in_use": 1000}

    images = dataset.train.images
    for limit, fits in ((2 * images.nbytes + 1000, True), (2 * images.nbytes + 998, False)):
        monkeypatch.setattr(jax, "local_devices", lambda limit=limit: [Device(limit)])
        assert feed.fits_on_device(images) == fits
    monkeypatch.undo()

    assert feed.fits_on_device(images)  # on a CPU small ones are copied
    monkeypatch.setattr(large, "LARGE", images.nbytes)
    assert not feed.fits_on_device(images)
    monkeypatch.undo()
    asked: list[bool] = []

    def compile_epoch(*given, on_host, **options):
        asked.append(on_host)
        return epoch.compile_epoch(*given, on_host=on_host, **options)

    monkeypatch.setattr(loop, "compile_epoch", compile_epoch)
    for fits in (True, False):
        monkeypatch.setattr(loop, "fits_on_device", lambda images, fits=fits: fits)
        loop.fit(replace(CONFIG, epochs=1), dataset, report=silent)
    assert asked == [False, True]
