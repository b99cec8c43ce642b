"""The steps of an epoch on images in the host's memory: block by block, to the bits of images on
the device.
"""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jaxae.build import first_state, first_states
from jaxae.config import Config
from jaxae.core.neighbours import nearest_neighbours
from jaxae.core.state import stack_members
from jaxae.data import large
from jaxae.errors import silent
from jaxae.runs.manifest import tree_digest
from jaxae.train import epoch, feed, loop
from jaxae.train.feed import FromHost, compile_steps
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


@pytest.fixture(autouse=True)
def _compiled_as_users_do(monkeypatch):
    """Tests compile with less of XLA and LLVM: two programs of one sum then differ in its last bit
    where users' do not, and the other way round.
    """
    compiled = jax.stages.Lowered.compile
    options: Any = {"xla_cpu_use_fusion_emitters": True, "xla_backend_optimization_level": 3}
    monkeypatch.setattr(jax.stages.Lowered, "compile", lambda lowered: compiled(lowered, options))


@pytest.mark.parametrize(
    ("count", "steps", "programs"), [(1, 3, {3, 4}), (2, 4, {4}), (1, 0, {2}), (1, 100, {16})]
)
def test_images_from_the_host_train_to_the_same_bits(dataset, count, steps, programs):
    """Sixteen steps: five blocks of which the last is longer, four alike, eight of two, and one."""
    configs, images = recipes(CONFIG, seeds=count), dataset.train.images[:512]
    block = steps * CONFIG.batch_size * images[0].nbytes * count
    run = compile_steps(configs, images, placement=Placement(), on_host=True, block_bytes=block)
    assert isinstance(run, FromHost)
    assert set(run.programs) == programs
    outcomes = [
        each(stack_members(first_states(configs)), np.ones(count, bool))
        for each in (run, compile_steps(configs, images, placement=Placement()))
    ]
    (state, losses), (expected, expected_losses) = outcomes
    np.testing.assert_array_equal(losses, expected_losses)
    assert tree_digest(state) == tree_digest(expected)


def test_neighbours_train_to_the_same_bits_from_the_host(dataset):
    config, images = replace(CONFIG, neighbor_weight=1.0), dataset.train.images[:512]
    neighbours = nearest_neighbours(images, count=20)
    block = 5 * config.batch_size * images[0].nbytes
    outcomes = []
    for found, on_host in ((neighbours, False), (neighbours, True), (neighbours[:, ::-1], True)):
        run = compile_steps(
            [config],
            images,
            placement=Placement(),
            neighbours=found,
            on_host=on_host,
            block_bytes=block,
        )
        state, _ = run(stack_members([first_state(config)]), np.ones(1, bool))
        outcomes.append(tree_digest(state))
    assert outcomes[0] == outcomes[1] != outcomes[2]


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
