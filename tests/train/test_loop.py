import contextlib
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import finished
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.errors import Diverged, InputError, silent
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import tree_digest
from jaxae.train import directory_store, loop, progress
from tests.helpers import fit_state

CONFIG = Config(
    dataset="synthetic",
    epochs=3,
    batch_size=64,
    learning_rate=3e-3,
    widths=(64, 16),
    matmul_dtype="float32",
)
CLOCK = ("images_per_s", "seconds_left")


def metrics(run_dir: Path) -> list[dict]:
    """The rows of metrics.jsonl without what the clock decides."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in rows]


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory) -> tuple[Path, TrainState, list[str]]:
    """A run that nothing interrupted."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    lines: list[str] = []
    return (
        run_dir,
        fit_state(CONFIG, dataset, run_dir, report=lambda told: lines.append(str(told))),
        lines,
    )


def test_a_run_reports_each_epoch_and_writes_what_a_person_can_read(whole):
    run_dir, state, lines = whole
    assert int(state.epoch) == 3
    assert int(state.step) == 3 * (2 * 550 // 64)
    assert sum(line.startswith("epoch") for line in lines) == 3
    assert str(run_dir) in lines[0]
    assert [row["epoch"] for row in metrics(run_dir)] == [1, 2, 3]
    assert all(row["data"] == "SYNTHETIC" for row in metrics(run_dir))
    environment = json.loads((run_dir / "environment.json").read_text())
    assert environment["data"] == "SYNTHETIC"
    assert environment["versions"]["jax"] == jax.__version__
    assert Config.from_json((run_dir / "config.json").read_text()) == CONFIG


def test_the_clock_counts_the_images_of_whole_batches(dataset, monkeypatch):
    counted: list[int] = []

    class Clock(progress.Clock):
        def __init__(self, images: int) -> None:
            counted.append(images)
            super().__init__(images)

    monkeypatch.setattr(progress, "Clock", Clock)
    loop.fit(CONFIG, dataset, report=silent)
    assert counted == [2 * 550 // 64 * 64]


def test_the_compiling_thread_has_the_callers_precision(dataset, monkeypatch):
    def compile_epoch(*given, **options):
        raise InputError(f"the precision is {jax.default_matmul_precision.value}")

    monkeypatch.setattr(loop, "compile_epoch", compile_epoch)
    with (
        jax.default_matmul_precision("highest"),
        pytest.raises(InputError, match="the precision is highest"),
    ):
        loop.fit(CONFIG, dataset, report=silent)


def test_best_loss_is_the_lowest_row(whole):
    run_dir, state, _ = whole
    losses = [row["validation_loss"] for row in metrics(run_dir)]
    np.testing.assert_allclose(float(state.best_loss), min(losses), rtol=1e-6)
    assert int(state.best_epoch) == 1 + int(np.argmin(losses))
    assert [row["best"] for row in metrics(run_dir)] == [
        loss < min(losses[:i], default=9) for i, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("epoch", "moment"), [(1, "after the checkpoint"), (2, "before the checkpoint")]
)
def test_an_interrupted_run_ends_with_the_same_bits(
    whole, epoch, moment, dataset, tmp_path, monkeypatch
):
    told: list[str] = []

    def interrupt(line: str) -> None:
        told.append(line)
        if moment == "after the checkpoint" and line.startswith(f"epoch   {epoch}"):
            raise KeyboardInterrupt

    def interrupted_save(run_dir, state, **options):
        if moment == "before the checkpoint" and int(state.epoch) == epoch:
            raise KeyboardInterrupt
        save(run_dir, state, **options)

    save = checkpoint.save
    monkeypatch.setattr(directory_store.checkpoint, "save", interrupted_save)
    overwrite = moment == "after the checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fit_state(CONFIG, dataset, tmp_path / "run", overwrite=overwrite, report=interrupt)
    again = "same command again, without overwriting, to go on from there."
    assert told[-1] == f"Interrupted: epoch 1 is saved in {tmp_path / 'run'}. Start the {again}"
    monkeypatch.undo()
    lines: list[str] = []
    state = fit_state(
        CONFIG, dataset, tmp_path / "run", report=lambda told: lines.append(str(told))
    )
    assert lines[0].startswith("Resuming after epoch 1")
    assert tree_digest(state) == tree_digest(whole[1])
    assert metrics(tmp_path / "run") == metrics(whole[0])


def test_the_next_epoch_is_computed_while_one_is_saved(dataset, tmp_path, monkeypatch):
    """A save that waits for the next epoch's end would hang if the loop waited for the save."""
    computed, late = threading.Semaphore(0), []

    def counted_lap(self, **options):
        computed.release()
        return lap(self, **options)

    def waiting_save(run_dir, state, **options):
        if int(state.epoch) < CONFIG.epochs:
            late.append(
                not all(
                    computed.acquire(timeout=60) for _ in range(2 if int(state.epoch) == 1 else 1)
                )
            )
        save(run_dir, state, **options)

    lap, save = progress.Clock.lap, checkpoint.save
    monkeypatch.setattr(progress.Clock, "lap", counted_lap)
    monkeypatch.setattr(directory_store.checkpoint, "save", waiting_save)
    lines: list[str] = []
    fit_state(CONFIG, dataset, tmp_path / "run", report=lambda told: lines.append(str(told)))
    assert late == [False] * (CONFIG.epochs - 1)
    epochs = [line.split("/")[0] for line in lines if line.startswith("epoch ")]
    assert epochs == [f"epoch {epoch:3d}" for epoch in range(1, CONFIG.epochs + 1)]


@pytest.mark.parametrize("full", [False, True])
def test_the_end_waits_for_the_last_epoch_and_says_what_went_wrong_with_it(
    full, dataset, tmp_path, monkeypatch
):
    def slow_save(run_dir, state, **options):
        time.sleep(0.5)
        if full and int(state.epoch) == CONFIG.epochs:
            raise InputError("no room")
        save(run_dir, state, **options)

    save = checkpoint.save
    monkeypatch.setattr(directory_store.checkpoint, "save", slow_save)
    lines: list[str] = []
    with pytest.raises(InputError, match="no room") if full else contextlib.nullcontext():
        fit_state(CONFIG, dataset, tmp_path / "run", report=lambda told: lines.append(str(told)))
    assert any(line.startswith("Finished after epoch 3 ") for line in lines) is not full


def test_a_finished_run_says_so_and_is_left_alone(whole, dataset):
    run_dir, state, _ = whole
    before = (run_dir / "metrics.jsonl").read_bytes()
    lines: list[str] = []
    again = fit_state(CONFIG, dataset, run_dir, report=lambda told: lines.append(str(told)))
    assert tree_digest(again) == tree_digest(state)
    assert len(lines) == 1
    assert "is finished" in lines[0]
    assert (run_dir / "metrics.jsonl").read_bytes() == before


def test_a_finished_run_goes_on_to_more_epochs_as_if_it_had_had_them_at_once(
    whole, dataset, tmp_path
):
    """Nothing is overwritten, and fewer epochs than it has done are refused."""
    _, state, _ = whole
    fit_state(replace(CONFIG, epochs=1), dataset, tmp_path)
    lines: list[str] = []
    longer = fit_state(CONFIG, dataset, tmp_path, report=lambda told: lines.append(str(told)))
    assert lines[0].startswith("Resuming after epoch 1 in ")
    assert tree_digest(longer) == tree_digest(state)
    assert Config.from_json((tmp_path / "config.json").read_text()) == CONFIG

    with pytest.raises(InputError, match=r"epochs is 2, and the run in .* has done 3: give 3 or"):
        fit_state(replace(CONFIG, epochs=2), dataset, tmp_path)
    assert Config.from_json((tmp_path / "config.json").read_text()) == CONFIG


def test_other_versions_are_reported_and_other_data_refused_on_resuming(dataset, tmp_path):
    def interrupt(line: str) -> None:
        if line.startswith("epoch   1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_state(CONFIG, dataset, tmp_path, report=interrupt)
    path = tmp_path / "environment.json"
    environment = json.loads(path.read_text())
    with pytest.raises(InputError, match="was trained on other data"):
        fit_state(CONFIG, dataset._replace(digest="0"), tmp_path)
    path.write_text(json.dumps(environment | {"cpu_cores": 96}))
    lines: list[str] = []
    fit_state(CONFIG, dataset, tmp_path, report=lambda told: lines.append(str(told)))
    assert any("cpu_cores" in line and "96" in line for line in lines)


def test_data_under_another_name_are_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="dataset is fashion_mnist, and the data are synthetic"):
        fit_state(Config(dataset="fashion_mnist"), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_auto_takes_the_datas_name_and_a_recipe_of_another_name_is_refused(dataset):
    assert loop.settle(Config(dataset="auto"), dataset).dataset == "synthetic"
    with pytest.raises(InputError, match="mnist"):
        loop.settle(Config(dataset="mnist"), dataset)


@pytest.mark.parametrize(
    ("flags", "precision", "dtype"),
    [
        ("fpu avx512_bf16 avx512f", None, "bfloat16"),
        ("fpu amx_bf16", None, "bfloat16"),
        ("fpu avx512f", None, "float32"),
        ("fpu avx512_bf16", "highest", "float32"),
    ],
)
def test_the_processor_decides_the_products_where_the_recipe_does_not(
    dataset, flags, precision, dtype, monkeypatch
):
    features = {"model": "a processor", "features": f"address sizes=48 flags={flags} wp=yes"}
    monkeypatch.setattr("jaxae.runs.environment.cpu", lambda: features)
    with jax.default_matmul_precision(precision):
        assert loop.settle(Config(), dataset).matmul_dtype == dtype
        for given in ("float32", "bfloat16"):
            assert loop.settle(Config(matmul_dtype=given), dataset).matmul_dtype == given


def test_another_recipe_is_refused_before_anything_is_touched(whole, dataset):
    run_dir, _, _ = whole
    with pytest.raises(InputError, match=r"learning_rate: 0\.1, not 0\.003"):
        fit_state(Config(**{**vars(CONFIG), "learning_rate": 0.1}), dataset, run_dir)
    assert Config.from_json((run_dir / "config.json").read_text()) == CONFIG


def test_one_latent_number_is_refused_since_maps_want_two(dataset, tmp_path):
    with pytest.raises(InputError, match="latent_dim is 1: give 2 or more"):
        fit_state(Config(dataset="synthetic", latent_dim=1), dataset, tmp_path / "run")
    uneven = Config(dataset="synthetic", batch_size=33, neighbor_weight=1.0)
    with pytest.raises(InputError, match="batch_size is 33, and with a neighbor_weight"):
        fit_state(uneven, dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good(dataset, tmp_path):
    config = Config(
        dataset="synthetic", epochs=3, batch_size=64, learning_rate=1e38, widths=(64, 16)
    )
    with pytest.raises(
        Diverged, match=r"step \d of epoch 1: give a lower learning_rate than 1e\+38"
    ):
        fit_state(config, dataset, tmp_path / "run", report=lambda line: None)
    assert metrics(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("epoch", "best_epoch", "drop_epoch", "scale", "expected"),
    [
        (0, 0, 0, 1.0, False),
        (99, 98, 0, 1.0, False),
        (100, 98, 0, 1.0, True),  # all epochs done
        (50, 10, 20, 0.02, False),  # stale, but the learning rate can still fall
        (50, 41, 20, 0.01, False),  # at the floor, but the best is young
        (50, 40, 20, 0.01, True),
        (50, 20, 41, 0.01, False),  # stale since before the floor, which has not had its epochs yet
        (50, 20, 40, 0.01, True),
    ],
)
def test_the_end_comes_with_the_epochs_or_at_the_floor_without_a_new_best(
    whole, epoch, best_epoch, drop_epoch, scale, expected
):
    _, state, _ = whole
    config = Config(epochs=100, early_stop_patience=10, min_scale=0.01)
    state = state._replace(
        epoch=jnp.int32(epoch),
        best_epoch=jnp.int32(best_epoch),
        drop_epoch=jnp.int32(drop_epoch),
        plateau=state.plateau._replace(scale=jnp.float32(scale)),
    )
    assert finished(state, config) == expected


def test_a_loss_that_breaks_later_keeps_the_best_epoch(dataset, tmp_path, monkeypatch):
    """In the second epoch: in memory the best is returned, on the disk it can be loaded, and the
    error says where it broke.
    """
    compiled = loop.compile_epoch

    def breaking(*arguments, **options):
        run_epoch = compiled(*arguments, **options)

        def epoch(state, active):
            state, result = run_epoch(state, active)
            return state, result._replace(finite=result.epoch < 2)

        return epoch

    monkeypatch.setattr(loop, "compile_epoch", breaking)
    lines: list[str] = []
    run = loop.fit(CONFIG, dataset, report=lambda told: lines.append(str(told)))
    assert run.epoch == 1
    assert "no longer a finite number in the validation of epoch 2" in lines[-1]
    with pytest.raises(Diverged, match="Epoch 1 is the last good one"):
        fit_state(CONFIG, dataset, tmp_path / "run")
    assert tree_digest(load(tmp_path / "run").variables) == tree_digest(run.variables)


def test_a_drop_is_told_once_also_where_the_run_was_interrupted_before_it_was(dataset, tmp_path):
    # So low a learning rate that the loss stays where it is, and each second epoch is a plateau.
    config = replace(CONFIG, epochs=5, learning_rate=1e-9, plateau_patience=1, min_scale=1e-3)

    def drops(run_dir: Path, *epochs: int) -> list[str]:
        lines: list[str] = []
        for last in epochs:
            fit_state(replace(config, epochs=last), dataset, run_dir, report=lines.append)
        return [line for line in lines if "stopped falling" in line]

    at_once = drops(tmp_path / "whole", 5)
    assert len(at_once) >= 2
    assert drops(tmp_path / "in parts", 1, 2, 3, 4, 5) == at_once


def test_training_ends_where_its_directory_is_moved_and_refuses_another_runs_checkpoint(
    whole, dataset, tmp_path
):
    def move(line: str) -> None:
        if line.startswith("epoch   1"):
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    with pytest.raises(InputError, match="was moved or deleted"):
        fit_state(CONFIG, dataset, tmp_path / "run", report=move)
    assert not (tmp_path / "run").exists()
    (tmp_path / "other" / "states").mkdir(parents=True)
    other = Config(**{**vars(CONFIG), "seed": 7})
    (tmp_path / "other" / "config.json").write_text(other.to_json())
    (whole[0] / "states" / "3").rename(tmp_path / "other" / "states" / "3")
    try:
        with pytest.raises(InputError, match=r"another run \(seed: 0, not 7\)"):
            fit_state(other, dataset, tmp_path / "other")
        with pytest.raises(InputError, match=r"another run \(seed: 0, not 7\)"):
            load(tmp_path / "other")
    finally:
        (tmp_path / "other" / "states" / "3").rename(whole[0] / "states" / "3")
