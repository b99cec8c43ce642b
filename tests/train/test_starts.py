import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import jaxae
from jaxae.build import first_state
from jaxae.config import Config
from jaxae.digests import tree_digest
from jaxae.errors import InputError, silent
from jaxae.resume import Origin
from jaxae.runs import checkpoint, files, metrics_log
from jaxae.runs.directory import read_config
from jaxae.train import starts
from jaxae.train.loop import fit_members
from jaxae.train.open_runs import open_runs
from jaxae.train.starts import Stage, begin_with_best, plan_line, select, stage_line, stages, start_recipes
from tests.helpers import fit_state

CONFIG = Config(dataset="synthetic", starts=4, epochs=6, batch_size=64, learning_rate=3e-3, widths=(64, 16), restore_best=True)


@pytest.fixture(scope="module", autouse=True)
def short_stages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "FIRST_STAGE", 2)
        yield


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory) -> Any:
    """A run of four starts, two of which go on after epoch 2, and one after epoch 4."""
    run_dir, lines = tmp_path_factory.mktemp("starts") / "run", list[str]()
    return SimpleNamespace(dir=run_dir, state=fit_state(CONFIG, dataset, run_dir, report=lines.append), lines=lines)


def without_clock(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("images_per_s", "seconds_left")} for row in rows]


def test_the_better_half_goes_on_twice_as_far_and_no_stage_outlasts_the_recipe():
    assert stages(1, epochs=9, first=2) == []
    assert stages(4, epochs=9, first=2) == [Stage(4, 2), Stage(2, 4)]
    assert stages(5, epochs=6, first=2) == [Stage(5, 2), Stage(3, 4), Stage(2, 6)]
    assert "They take 8 epochs more than one start" in plan_line(stages(4, epochs=9, first=2))  # 3 × 2 and 1 × 2


def test_select_takes_the_lowest_losses_and_no_broken_one():
    losses = np.random.default_rng(0).permutation(9).astype(float)
    assert select(losses, keep=4) == sorted(range(9), key=losses.tolist().__getitem__)[:4]
    assert select([np.inf, 2.0, np.nan, 1.0], keep=3) == [3, 1]
    assert stage_line(8, [5, 6, 7], [np.inf, 0.2, 0.3], [1]) == (
        "After epoch 8: start 6 (0.20000) goes on; dropped: broken, 0.30000."
    )


def test_every_start_has_a_seed_of_its_own_and_the_first_one_the_recipes():
    seeds = [each.seed for root in range(20) for each in start_recipes(Config(seed=root, starts=8))]
    assert seeds[::8] == list(range(20))
    assert len(set(seeds)) == 160
    assert start_recipes(CONFIG)[0] == replace(CONFIG, starts=1)


def test_the_run_goes_on_with_the_start_of_the_lowest_loss(whole, dataset, tmp_path):
    """Held against the population of the four, of which the better two go on as a population, each trained by fit_members."""
    recipes = start_recipes(CONFIG)
    first = fit_members([replace(each, epochs=2) for each in recipes], dataset, None, report=silent)
    half = np.argsort([float(state.best_loss) for state in first])[:2]
    second = fit_members([replace(each, epochs=4) for each in recipes], dataset, None, report=silent)
    begun = json.loads((whole.dir / "environment.json").read_text())["start"]
    assert begun["number"] in half
    assert begun == {"number": begun["number"], "of": 4, "seed": recipes[begun["number"]].seed, "epoch": 4}
    losses = {k: float(second[k].best_loss) for k in half}
    assert begun["number"] == min(losses, key=losses.__getitem__)
    rows = metrics_log.read(whole.dir)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(min(row["validation_loss"] for row in rows[:4]), min(losses.values()), rtol=1e-4)
    assert (whole.state.key == first[begun["number"]].key).all()


def test_the_winner_is_an_ordinary_run_and_the_others_leave_their_rows(whole, dataset):
    assert read_config(whole.dir) == CONFIG
    assert int(whole.state.epoch) == 6
    assert jaxae.load(whole.dir).epoch == int(whole.state.best_epoch)
    lengths = [len(metrics_log.read(whole.dir / "starts" / str(k))) for k in range(4)]
    assert sorted(lengths) == [2, 2, 4, 4]
    assert not list((whole.dir / "starts").glob("*/states"))
    lines: list[str] = []
    fit_state(CONFIG, dataset, whole.dir, report=lines.append)
    assert [line for line in lines if "is finished: epoch 6" in line] == lines


def test_in_memory_the_same_bits(whole, dataset):
    assert tree_digest(fit_members([CONFIG], dataset, None, report=silent)[0]) == tree_digest(whole.state)
    run = jaxae.fit(CONFIG, dataset, report=silent)
    assert tree_digest(run.variables) == tree_digest(jaxae.load(whole.dir).variables)


def test_the_cost_is_told_beforehand_and_every_stage_after_it(whole):
    told = [line for line in whole.lines if "start" in line and not line.startswith(("Training", "Resuming"))]
    assert told[0].startswith("Several starts: 4 to epoch 2, 2 to epoch 4, then the best one alone. They take 8 epochs more")
    assert told[1].startswith("After epoch 2: start ")
    assert told[2].startswith("After epoch 4: start ")
    assert sum("  data  " in line for line in whole.lines) == 1  # the head of the log is there once
    epochs = [line.split("/")[0] for line in whole.lines if line.startswith("epoch ")]
    assert epochs == [f"epoch {epoch:3d}" for epoch in range(1, 7)]  # a start goes on from where it stood
    assert sum("validation loss |" in line for line in whole.lines) == 0


@pytest.mark.parametrize("moment", ["epoch   1/2", "epoch   3/4"])
def test_a_run_that_was_interrupted_at_any_stage_ends_with_the_same_bits(moment, whole, dataset, tmp_path):
    def interrupt(line: str) -> None:
        if line.startswith(moment):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_state(CONFIG, dataset, tmp_path / "run", report=interrupt)
    state = fit_state(CONFIG, dataset, tmp_path / "run")
    assert tree_digest(state) == tree_digest(whole.state)
    assert without_clock(metrics_log.read(tmp_path / "run")) == without_clock(metrics_log.read(whole.dir))


@pytest.mark.parametrize("moment", ["before its checkpoint", "before the mark"])
def test_a_kill_while_the_winner_moves_loses_nothing(moment, whole, dataset, tmp_path, monkeypatch):
    """The run has begun when its environment.json names the start: until then the starts are whole."""
    save, write_json = checkpoint.save, files.write_json

    def killed_save(run_dir, state, **options):
        if run_dir == tmp_path / "run" and moment == "before its checkpoint":
            raise KeyboardInterrupt
        save(run_dir, state, **options)

    def killed_write(path, value):
        if "start" in value:
            raise KeyboardInterrupt
        write_json(path, value)

    monkeypatch.setattr(checkpoint, "save", killed_save)
    monkeypatch.setattr(files, "write_json", killed_write)
    with pytest.raises(KeyboardInterrupt):
        fit_state(CONFIG, dataset, tmp_path / "run")
    assert (tmp_path / "run" / "states").exists() == (moment == "before the mark")
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "FIRST_STAGE", 2)
        assert tree_digest(fit_state(CONFIG, dataset, tmp_path / "run")) == tree_digest(whole.state)


def test_the_best_epoch_of_the_start_goes_along_where_it_is_not_the_last_one(dataset, tmp_path, monkeypatch):
    """With a learning rate at which the loss jumps, and an end that comes with the stage: no later epoch is better."""
    monkeypatch.setattr(starts, "FIRST_STAGE", 12)
    config = replace(CONFIG, starts=2, epochs=12, learning_rate=30.0, average_decay=0.0, restore_best=False)
    best = int(fit_state(config, dataset, tmp_path).best_epoch)
    assert best < 12
    assert jaxae.load(tmp_path).epoch == best
    assert tree_digest(jaxae.load(tmp_path).variables) == tree_digest(jaxae.fit(config, dataset, report=silent).variables)


def test_the_run_goes_on_where_its_environment_is_lost(whole, dataset, tmp_path):
    """And where the starts that were dropped have no states, as after a loss that broke in its first epoch."""

    def interrupt(line: str) -> None:
        if line.startswith("After epoch 2"):
            for k in (k for k in range(4) if f"start {k} " not in line):
                shutil.rmtree(tmp_path / "starts" / str(k) / "states")
        if line.startswith("epoch   5/6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_state(CONFIG, dataset, tmp_path, report=interrupt)
    (tmp_path / "environment.json").unlink()
    lines: list[str] = []
    assert tree_digest(fit_state(CONFIG, dataset, tmp_path, report=lines.append)) == tree_digest(whole.state)
    assert lines[0].startswith("Resuming after epoch 5")


def test_a_start_whose_loss_broke_is_dropped(dataset):
    """A stand-in for training: every start but the last ended before its stage did."""
    like: Any = first_state(CONFIG)

    def train(runs):
        epochs = [runs.until - (seed != last) for seed in (config.seed for config in runs.configs)]
        runs.latest = [like._replace(epoch=np.int32(epoch), best_loss=np.float32(1 / epoch)) for epoch in epochs]
        return runs.latest

    last, lines = start_recipes(CONFIG)[-1].seed, list[str]()
    with open_runs(None, [CONFIG], dataset, overwrite=False, report=lines.append) as runs:
        begin_with_best(runs, train)
    assert lines[-1] == "After epoch 4: start 3 (0.25000) goes on; dropped: ."
    assert [int(state.epoch) for state in runs.loaded if state] == [4]


def test_several_starts_are_of_one_run_that_begins_afresh(dataset, tmp_path):
    with pytest.raises(InputError, match="starts is 4, and there are 2 members"):
        fit_members([CONFIG, replace(CONFIG, seed=1)], dataset, None, report=silent)
    with pytest.raises(InputError, match="starts is 4, given with --resume-from"):
        fit_members([CONFIG], dataset, [tmp_path / "run"], origin=Origin(tmp_path), report=silent)
    with pytest.raises(InputError, match="starts is 0"):
        Config(starts=0)
    assert not (tmp_path / "run").exists()
