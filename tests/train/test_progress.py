from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxae.cli.messages import ranking
from jaxae.config import Config
from jaxae.train import progress
from jaxae.train.epoch import EpochResult
from jaxae.train.introduction import begin_lines
from jaxae.train.progress import Epoch, Row

ROW = Row(
    member=0,
    epoch=7,
    step=56,
    train_loss=0.125,
    validation_loss=0.11,
    validation_mae=0.08,
    validation_mse=0.03,
    learning_rate=0.0015,
    best=True,
    images_per_s=21345,
    seconds_left=125,
)


def test_the_epochs_line_names_everything():
    line = str(Epoch((ROW,), 100, 1))
    for part in ("7/100", "0.12500", "0.11000 *", "1.5e-03", "21,345 images/s", "about 2:05 left"):
        assert part in line
    assert "*" not in str(Epoch((ROW._replace(best=False),), 100, 1))


def test_a_populations_line_has_means_and_a_spread_and_no_learning_rate():
    rows = tuple(ROW._replace(validation_loss=loss, best=False) for loss in (0.1, 0.2, 0.6))
    line = str(Epoch(rows, 100, 8))
    for part in ("3 of 8", f"0.30000 ± {np.std([0.1, 0.2, 0.6], ddof=1):.4f}", "64,035 images/s"):
        assert part in line
    assert "1.5e-03" not in line
    assert f"± {np.std([0.1, 0.2], ddof=1):.4f} " in str(Epoch(rows[:2], 100, 8))
    assert "± 0.0000 " in str(Epoch(rows[:1], 100, 8))


def test_lines_fit_a_hundred_columns(dataset):
    big = ROW._replace(epoch=999, images_per_s=99_999, seconds_left=5999)
    config = replace(Config(dataset="synthetic"), epochs=999, noise_range=(0.05, 0.45))
    lines = [
        str(Epoch((big,), 999, 1)),
        str(Epoch((big,) * 64, 999, 64)),
        *begin_lines("/runs/default", [0], [config], dataset),
        *progress.drop_lines(1e-3, 5e-4, restore_best=True),
    ]
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize(("before", "drops"), [(0.0015, 0), (0.003, 1)])
def test_a_drop_of_the_learning_rate_has_a_line_of_its_own(before, drops):
    lines = progress.drop_lines(before, 0.0015)
    assert len(lines) == drops
    assert not drops or "from 3.0e-03 to 1.5e-03" in lines[0]
    assert len(progress.drop_lines(before, 0.0015, restore_best=True)) == 2 * drops


def test_what_broke_last_is_named():
    """Member 1 broke in an epoch before; what its masked steps give now says nothing."""
    configs = [replace(Config(), learning_rate=rate) for rate in (1.0, 2.0)]
    zeros = np.zeros(2)
    result = EpochResult(
        epoch=np.array([3, 2]),
        train_loss=zeros,
        validation_loss=zeros,
        validation_mse=zeros,
        validation_mae=zeros,
        learning_rate=zeros,
        best=zeros > 0,
        finite=np.array([False, False]),
        broken_step=np.array([5, 1]),
    )
    lost = np.array([True, False])
    text = progress.all_broken(configs, result, lost)
    for part in (
        "loss of every member",
        "at step 5 of epoch 3. Epoch 2 is the last good",
        "learning_rate than 1",
    ):
        assert part in text
    (line,) = progress.broken_lines(configs, result, lost)
    assert line.startswith("Member 0 (learning_rate 1.0, seed 0) is left alone")
    in_validation = progress.all_broken(
        configs[:1], result._replace(broken_step=np.array([0, 1])), lost
    )
    assert in_validation.startswith(
        "The loss is no longer a finite number in the validation of epoch 3"
    )


def test_the_clock_counts_epochs_and_seconds(monkeypatch):
    """By a clock that is set by hand: started at 100 s, an epoch of 4 s after 10 s, one of 2 s
    after 20 s.
    """
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    clock = progress.Clock(800)
    now[0] = 114.0
    assert clock.lap(epoch_seconds=4.0, epochs_left=5) == (200, 70)
    now[0] = 122.0
    pace = clock.lap(epoch_seconds=2.0, epochs_left=3)
    assert pace == (400, 24)  # as the second took, and the wait before it
    assert clock.seconds == 22


def test_the_last_line_has_epochs_best_ones_and_the_loss_that_there_is():
    states: Any = [
        SimpleNamespace(epoch=epoch, best_epoch=best, best_loss=loss)
        for epoch, best, loss in ((9, 7, 0.125), (5, 5, 0.375), (2, 0, float("inf")))
    ]
    configs = [Config(seed=seed) for seed in range(3)]
    alone = "Finished after epoch 9 in 1 min 0 s; best epoch 7, validation loss 0.12500."
    assert progress.end_line(states[:1], 59.6) == alone
    assert progress.end_line(states[:2], 12).endswith(
        "best epoch 5 to 7, mean validation loss 0.25000."
    )
    line = progress.end_line(states, 12)
    assert (
        line
        == "Finished after epoch 2 to 9 in 12 s; best epoch 0 to 7, mean validation loss 0.25000."
    )
    table = ranking(configs, [state.best_loss for state in states])
    assert table.splitlines()[2].split()[1:6:2] == ["0", "0", "0.12500"]
    line = progress.nothing_to_do_line("x", states[:2], [Config(epochs=9)] * 2)
    assert line.startswith("x is finished: epoch 5 to 9, best epoch 5 to 7. The early stop ended")
    assert "larger early_stop_patience, or another run_dir with this run as resume_from" in line
    line = progress.nothing_to_do_line("x", states[:2], [Config(epochs=5)] * 2)
    assert line.endswith("best epoch 5 to 7. To go on, give more epochs.")


@pytest.mark.parametrize(
    ("devices", "words"), [(1, "Compiled for cpu: 8 steps"), (2, "Compiled for 2 × cpu: 8 steps")]
)
def test_what_was_compiled_names_the_devices(devices, words):
    assert str(progress.Compiled(8, devices, "cpu")).startswith(words)
