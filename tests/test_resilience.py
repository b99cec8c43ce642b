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
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from benchmarks.robustness import damage, kill_resume
from jaxae.build import first_state, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import InputError, silent
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import tree_digest
from jaxae.train import directory_store, progress
from jaxae.train.progress import Epoch, Row
from tests.cli.test_scripts import call, start
from tests.helpers import fit_state
from tests.train.test_loop import metrics

CONFIG = Config(dataset="synthetic", epochs=4, batch_size=64, learning_rate=3e-3, widths=(64, 16))
LARGE = (512,)
"""The widths of a model whose checkpoint takes 13 MB."""


def row(epoch: int) -> Row:
    numbers = dict.fromkeys(set(Row._fields) - {"member", "epoch", "best"}, 1)
    return Row(member=0, epoch=epoch, best=True, **numbers)


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


UNEVEN = replace(
    CONFIG,
    epochs=10,
    statistics_images=0,
    neighbor_weight=0.0,
    restore_best=True,
    learning_rate=0.03,
    plateau_patience=1,
    min_scale=0.2,
    average_decay=0.0,
)
"""At this rate, with one batch's running statistics, some epochs are worse than the one before."""


def test_a_run_that_goes_back_to_its_best_resumes_to_the_same_bits(dataset, tmp_path):
    config = UNEVEN
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


@pytest.mark.parametrize(("epoch_seconds", "large"), [(2, 10**9), (25, 0)])
def test_the_best_and_the_latest_states_are_saved_at_an_interval(
    epoch_seconds, large, dataset, tmp_path, monkeypatch
):
    """On a clock of its own: every 5 s, or every 60 s if they are large."""
    now = 0.0
    monkeypatch.setattr(directory_store, "SAVE_SECONDS", 5.0)
    monkeypatch.setattr(directory_store, "LARGE_STATES", large)
    monkeypatch.setattr(directory_store, "monotonic", lambda: now)
    first, saved = first_state(CONFIG), list[list[int]]()

    with directory_store.open_directories([tmp_path], [CONFIG], dataset) as store:
        store.restore()
        for epoch, best in enumerate((1, 2, 2, 2, 5, 6, 6, 6), start=1):
            now += epoch_seconds
            state = first._replace(epoch=jnp.int32(epoch), best_epoch=jnp.int32(best))
            store.save({0: state}, Epoch((row(epoch),), most_epochs=8, members=1), [])
            store.writer.submit(int).result()  # the thread has then written it
            saved.append(checkpoint.epochs(tmp_path))
        store.wait()

    assert saved == [[1], [1], [1], [2, 4], [2, 4], [2, 4], [6, 7], [6, 7]]
    assert checkpoint.epochs(tmp_path) == [6, 7, 8]


def test_a_kill_of_a_large_run_loses_time_and_no_bit(dataset, tmp_path, monkeypatch):
    """What a kill leaves is a copy of the run as it is after the third epoch's line."""
    monkeypatch.setattr(directory_store, "LARGE_STATES", 0)  # only the first epoch is saved in time
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def copy(line: str) -> None:
        if line.startswith("epoch   3/"):
            shutil.copytree(whole, killed)

    state = fit_state(CONFIG, dataset, whole, report=copy)
    assert checkpoint.epochs(killed) == [1]
    assert load(killed).epoch == 1

    lines: list[str] = []
    assert tree_digest(fit_state(CONFIG, dataset, killed, report=lines.append)) == tree_digest(
        state
    )
    assert lines[0].startswith("Resuming after epoch 1 ")
    assert any("had come to epoch 3" in line and "after epoch 1" in line for line in lines)
    assert any(line.startswith("A checkpoint takes ") for line in lines)
    assert metrics(killed) == metrics(whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_large_states_are_saved_where_training_ends_early(error, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(directory_store, "LARGE_STATES", 0)
    lap, done = progress.Clock.lap, []

    def stop(self, **options):
        done.append(self)
        if len(done) == 3:
            raise error
        return lap(self, **options)

    monkeypatch.setattr(progress.Clock, "lap", stop)
    lines: list[str] = []
    with pytest.raises(error):
        fit_state(CONFIG, dataset, tmp_path, report=lines.append)
    assert checkpoint.epochs(tmp_path)[-1] == 2
    told = [line for line in lines if line.startswith("Interrupted: epoch 2 is saved")]
    assert len(told) == (error is KeyboardInterrupt)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bits(monkeypatch, capsys):
    """What is not killed runs in this process, which saves its start."""

    def train(run: Path, recipe: list[str]) -> Path:
        place = kill_resume.run_dir(run)
        for command, *words in (
            ["train", *recipe, "--run-dir", str(run)],
            ["evaluate", str(place)],
        ):
            code, _, err = call(command, *words)
            assert code == 0, err
        return place

    monkeypatch.setattr(kill_resume, "RECIPE", (*kill_resume.RECIPE, "--widths", "64", "16"))
    monkeypatch.setattr(kill_resume, "train", train)
    kill_resume.main(kills=1, epochs=4)
    said = capsys.readouterr().out
    assert re.match(
        r"([12]) of \1 runs ended with the same bits after 1 signals", said
    )  # a fast machine may end a run before the kill


@pytest.mark.slow
def test_no_damage_gives_a_wrong_state(monkeypatch, capsys):
    """Of a small model: what is damaged are the files, and those are the same of a large one."""
    monkeypatch.setattr(damage, "RECIPE", replace(CONFIG, epochs=3, widths=(8,)))
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
    place, command = tmp_path, ""
    if limit == "disk":
        place = request.getfixturevalue("small_disk")
    else:  # 1 MB: less than one of its arrays, however Orbax parts them into files
        command = "ulimit -f 1000; "
    train = f"{sys.executable} -m jaxae train --dataset synthetic --batch-size 2000 --epochs 4"
    train += f" --seeds {members} --neighbor-weight 0 --statistics-images 0"
    command = f"{command}exec {train} --widths {LARGE[0]} --run-dir {place}/run"
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
from jaxae.train import directory_store, progress
from jaxae.train.progress import Epoch, Row
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
