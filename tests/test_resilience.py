"""What a machine may do to a run: kill it, stop it, fill its disk, damage its files, change under
it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import jax
import pytest

from benchmarks.robustness import damage, kill_resume
from jaxae.build import first_state, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import InputError, silent
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import tree_digest
from tests.cli.test_scripts import start
from tests.helpers import fit_state
from tests.train.test_loop import metrics

CONFIG = Config(dataset="synthetic", epochs=4, batch_size=64, learning_rate=3e-3, widths=(64, 16))
LARGE = (512,)
"""The widths of a model whose checkpoint takes 13 MB."""


def shapes() -> TrainState:
    return state_shapes(CONFIG)


def test_every_epoch_is_a_valid_place_to_resume_from(dataset, tmp_path):
    whole = tmp_path / "whole"

    def copy(line: str) -> None:
        if line.startswith("epoch"):
            shutil.copytree(whole, tmp_path / line.split("/")[0].split()[1])

    expected = tree_digest(fit_state(CONFIG, dataset, whole, report=copy))
    for epoch in ("1", "2", "3"):
        lines: list[str] = []
        assert (
            tree_digest(fit_state(CONFIG, dataset, tmp_path / epoch, report=lines.append))
            == expected
        )
        assert lines[0].startswith(f"Resuming after epoch {epoch}")
        assert metrics(tmp_path / epoch) == metrics(whole)


def test_a_run_with_averaged_weights_resumes_and_evaluates_the_average(dataset, tmp_path):
    config = replace(
        CONFIG, epochs=3, average_decay=0.9, noise_range=(0.0, 0.4), statistics_images=100
    )
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def copy(line: str) -> None:
        if line.startswith("epoch   1/"):
            shutil.copytree(whole, cut)

    state = fit_state(config, dataset, whole, report=copy)
    assert tree_digest(fit_state(config, dataset, cut, report=lambda line: None)) == tree_digest(
        state
    )
    assert int(state.best_epoch) == 3  # so the last state holds what is evaluated
    assert tree_digest(load(whole).variables) == tree_digest(model_variables(state))
    assert tree_digest(state.params) != tree_digest(state.average)


def test_a_run_that_goes_back_to_its_best_resumes_to_the_same_bits(dataset, tmp_path):
    """At this rate, with the running statistics of one batch, some epoch of ten is worse than
    the one before.
    """
    uneven: Any = {
        "learning_rate": 0.03,
        "plateau_patience": 1,
        "min_scale": 0.2,
        "average_decay": 0.0,
    }
    config = replace(
        CONFIG, epochs=10, statistics_images=0, similarity_weight=0.0, restore_best=True, **uneven
    )
    whole, plain = tmp_path / "whole", replace(config, restore_best=False)

    def copy(line: str) -> None:
        if line.startswith("epoch"):
            shutil.copytree(whole, tmp_path / line.split("/")[0].split()[1])

    state = fit_state(config, dataset, whole, report=copy)
    drop = (
        next(row["epoch"] for row in metrics(whole) if row["learning_rate"] < config.learning_rate)
        - 1
    )
    assert tree_digest(fit_state(plain, dataset, tmp_path / "plain", report=silent)) != tree_digest(
        state
    )
    assert metrics(tmp_path / "plain")[:drop] == metrics(whole)[:drop]
    for epoch in (drop - 1, drop, drop + 1):
        assert tree_digest(
            fit_state(config, dataset, tmp_path / str(epoch), report=silent)
        ) == tree_digest(state)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bits(monkeypatch, capsys):
    monkeypatch.setattr(kill_resume, "RECIPE", (*kill_resume.RECIPE, "--widths", "64", "16"))
    kill_resume.main(kills=1, epochs=4)
    said = capsys.readouterr().out
    assert re.match(
        r"([12]) of \1 runs ended with the same bits after 1 signals", said
    )  # a fast machine may end a run before the kill


@pytest.mark.slow
def test_no_damage_gives_a_wrong_state(monkeypatch, capsys):
    """Of a small model: what is damaged are the files, and those are the same of a large one."""
    monkeypatch.setattr(damage, "RECIPE", replace(CONFIG, epochs=3))
    for name in ("fetch", "FASHION_MNIST_SHA256"):  # where the benchmark puts its own
        monkeypatch.setattr(damage.data_load, name, None)
    damage.main(trials=110)
    assert "110 damages" in (said := capsys.readouterr().out)
    assert ", 0 wrong states" in said


@pytest.mark.parametrize("moment", ["Training", "Compiled"])
def test_a_signal_in_compilation_or_in_the_middle_of_an_epoch_stops_within_five_seconds(
    moment, tmp_path
):
    """Batches of one make an epoch of many seconds, which XLA computes in one call."""
    options = ("--dataset", "synthetic", "--widths", "256", "--batch-size", "1")
    with start("train", *options, "--run-dir", tmp_path / "run") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(moment):
                break
        time.sleep(0.3 if moment == "Training" else 1)
        sent = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 143
    assert time.perf_counter() - sent < 5
    assert "Interrupted: no epoch is saved yet." in rest


@pytest.fixture
def small_disk(tmp_path):
    """34 MB: room for two checkpoints of 13 MB, not for a third."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=34m", "tmpfs", str(place)], capture_output=True
    ).returncode:
        pytest.skip("no permission to mount a small disk here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_clear_line_and_older_checkpoints_are_whole(small_disk, dataset):
    run_dir, large = small_disk / "run", replace(CONFIG, widths=LARGE, restore_best=False)
    with pytest.raises(InputError, match=r"epoch 3 \(.*older ones are intact") as caught:
        fit_state(large, dataset, run_dir, report=lambda line: None)
    assert "\n" not in str(caught.value)
    state = checkpoint.load_latest(run_dir, state_shapes(large))
    assert state is not None
    assert int(state.epoch) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "members"), [("disk", 2), ("file size", 1)])
def test_no_room_is_one_clear_line_and_no_traceback_on_the_processs_stderr(
    limit, members, request, tmp_path
):
    place, command, width = tmp_path, "", LARGE[0]
    if limit == "disk":
        place = request.getfixturevalue("small_disk")
    else:
        command, width = (
            "ulimit -f 3000; ",
            1500,
        )  # 3 MB: less than one of its arrays, however Orbax parts them into files
    train = f"{sys.executable} -m jaxae train --dataset synthetic --batch-size 2000 --epochs 4"
    train += f" --seeds {members}"
    command = f"{command}exec {train} --widths {width} --run-dir {place}/run"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "rror" in line]
    reason = "No space left on device" if limit == "disk" else "File too large"
    assert [line for line in lines if line.startswith("error: ") and reason in line] == lines
    assert len(lines) == 1
    assert lines[0].endswith("older ones are intact")


def test_copies_that_a_person_made_are_kept_and_never_loaded(dataset, tmp_path):
    fit_state(CONFIG, dataset, tmp_path / "run", report=silent)
    states = tmp_path / "run" / checkpoint.FOLDER
    copies = {"4-keep", "4 (copy)", "backup", "5.tmp", "04"}
    for name in copies:
        shutil.copytree(states / "4", states / name)
    (states / "9").mkdir()  # half deleted by hand
    told: list[str] = []
    state = checkpoint.load_latest(tmp_path / "run", shapes(), report=told.append)
    assert state is not None
    assert int(state.epoch) == 4
    assert len(told) == 1
    shutil.rmtree(states / "4")  # it is trained and saved again
    assert int(fit_state(CONFIG, dataset, tmp_path / "run", report=silent).epoch) == 4
    assert {path.name for path in states.iterdir() if path.name in copies} == copies


SCRIPT = """
import functools, sys
from pathlib import Path
import jax
from jaxae.build import build_parts
from jaxae.config import Config
from jaxae.core.state import init_state
from jaxae.runs.manifest import tree_digest
from jaxae.core.rng import root_key
from jaxae.runs import checkpoint
make = functools.partial(init_state, parts=build_parts(Config(widths=(64, 16))))
here, there = map(Path, sys.argv[1:])
loaded = checkpoint.load_latest(here, jax.eval_shape(make, root_key(0)))
print(jax.device_count(), tree_digest(loaded))

mesh = jax.make_mesh((jax.device_count(),), ("all",), axis_types=(jax.sharding.AxisType.Auto,))
everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
state = jax.device_put(jax.jit(make)(root_key(1)), everywhere)
checkpoint.save(there, state)
print(tree_digest(state))
"""
"""Loads a state of another process, then saves one, each leaf replicated over the devices."""


@pytest.mark.parametrize("devices", ["cpu 8", "cpu 1", "cuda 1"])
def test_a_checkpoint_loads_on_other_devices(devices, tmp_path):
    """From the device of the tests to others, and back: eight pretended ones of a CPU; between a
    CPU and a GPU, where there is one.
    """
    platform, number = devices.split()
    if platform == "cuda" and not shutil.which("nvidia-smi"):
        pytest.skip("no NVIDIA GPU here")
    if devices == f"{jax.default_backend()} {jax.device_count()}":
        pytest.skip("the tests run there")
    here, there = tmp_path / "here", tmp_path / "there"
    state = first_state(CONFIG)
    checkpoint.save(here, state)

    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={number}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": platform}
    command = [sys.executable, "-c", SCRIPT, str(here), str(there)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        number,
        tree_digest(state),
        tree_digest(checkpoint.load_latest(there, shapes())),
    ]
