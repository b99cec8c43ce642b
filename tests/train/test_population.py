"""Many models in one program: each is the ordinary run of its recipe, and resumes, breaks and ends
on its own.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxae.build import first_state, first_states
from jaxae.cli.messages import ranking
from jaxae.config import Config
from jaxae.core.state import TrainState, stack_members, take_member
from jaxae.errors import Diverged, InputError
from jaxae.runs import checkpoint
from jaxae.runs.manifest import tree_digest
from jaxae.runs.population import member_directories, members
from jaxae.train import directory_store
from jaxae.train.epoch import CompiledEpoch, compile_epoch
from jaxae.train.feed import compile_steps
from jaxae.train.loop import fit_members
from jaxae.train.population import labels, recipes, varying
from jaxae.train.sharding import Placement
from tests.helpers import fit_state
from tests.train.test_loop import metrics

CONFIG = Config(
    dataset="synthetic",
    epochs=3,
    batch_size=64,
    learning_rate=3e-3,
    widths=(64, 16),
    restore_best=True,
)
SWEEP = ["learning_rate=1e-3,3e-3,1e38"]
"""Members of most tests, whose programs are compiled once; the last breaks in its first epoch."""


def silent(line: str) -> None:
    pass


def directories(place: Path, count: int) -> list[Path]:
    return [place / str(k) for k in range(count)]


def test_recipes_are_the_grid_times_the_seeds():
    grid = recipes(Config(seed=5), seeds=2, sweep=["learning-rate=1e-3,2e-3", "clip_norm=1,2"])
    assert [(c.learning_rate, c.clip_norm, c.seed) for c in grid] == [
        (rate, clip, seed) for rate in (1e-3, 2e-3) for clip in (1, 2) for seed in (5, 6)
    ]
    assert recipes(Config()) == [Config()]
    assert varying(grid) == ["learning_rate", "clip_norm"]
    assert labels(grid)[0] == "learning_rate 0.001, clip_norm 1.0, seed 5"
    cells = [line.replace(" ", "") for line in ranking(grid[:2], [0.3, 0.2]).splitlines()[2:]]
    assert cells == ["|1|6|0.20000|", "|0|5|0.30000|"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"sweep": ["batch_size=64,128"]}, "one of learning_rate"),
        ({"sweep": ["learning_rate"]}, "expected comma-separated numbers"),
        ({"sweep": ["learning_rate=1e-3,fast"]}, "expected comma-separated numbers"),
        ({"sweep": ["learning_rate=1e-3,0.001"]}, "twice"),
        ({"sweep": ["learning_rate=1", "learning_rate=2"]}, "is given twice"),
        ({"sweep": ["learning_rate=-1,1"]}, "learning_rate is -1.0"),
        ({"sweep": ["noise_factor=0.1,0.2"]}, "one of learning_rate"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(options, expected):
    with pytest.raises(InputError, match=expected) as caught:
        recipes(Config(), **options)
    assert "\n" not in str(caught.value)


def test_members_that_differ_in_a_shape_are_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="differ in batch_size"):
        fit_members([CONFIG, replace(CONFIG, batch_size=32)], dataset, directories(tmp_path, 2))
    assert list(tmp_path.iterdir()) == []


def test_a_population_of_which_nothing_is_left_is_an_error(dataset, tmp_path):
    configs = recipes(CONFIG, sweep=["learning_rate=1e36,1e37,1e38"])
    with pytest.raises(
        Diverged,
        match=r"member is no longer a finite number, the last at step \d of epoch 1: give a",
    ):
        fit_members(configs, dataset, directories(tmp_path, 3), report=silent)


def test_each_member_takes_the_steps_of_the_single_run_of_its_recipe(dataset):
    """Losses of the first two steps, within rounding: from the third on AdamW has turned rounding
    errors into whole steps.
    """
    first = replace(CONFIG, learning_rate=1e-3)
    configs = [
        first,
        replace(CONFIG, seed=7, weight_decay=0.1, clip_norm=0.2, adam_b2=0.9),
    ]
    images = dataset.train.images
    run = compile_steps(configs, images, placement=Placement())
    _, losses = run(stack_members(first_states(configs)), np.ones(len(configs), bool))
    for config, mine in zip(configs, np.asarray(losses), strict=True):
        alone = compile_steps([config], images, placement=Placement())
        _, expected = alone(stack_members([first_state(config)]), np.array([True]))
        np.testing.assert_allclose(mine[:2], expected[0, :2], rtol=1e-4)
    assert len({float(value) for value in losses[:, 0]}) == len(configs)


@pytest.mark.slow
def test_members_end_where_single_runs_end_on_average(dataset):
    """Rounding makes other runs of the same recipes, not better or worse ones: Welch's test, and
    the means.
    """
    configs = recipes(
        CONFIG, seeds=12
    )  # runs differ by 5 %: of four, the means differ by a tenth too often

    def best_losses(run_epoch: CompiledEpoch, states: list[TrainState]) -> np.ndarray:
        state = stack_members(states)
        for _ in range(CONFIG.epochs):
            state, _ = run_epoch(state, np.ones(len(states), bool))
        return np.asarray(state.best_loss)

    states = first_states(configs)
    alone = compile_epoch(configs[:1], dataset, Placement())  # seeds are in the states
    a = best_losses(compile_epoch(configs, dataset, Placement()), states)
    b = np.concatenate([best_losses(alone, [state]) for state in states])
    assert stats.ttest_ind(a, b, equal_var=False).pvalue > 1e-3
    np.testing.assert_allclose(
        np.mean(a), np.mean(b), rtol=0.1
    )  # a first epoch's loss is a third higher


def test_a_member_that_does_not_run_keeps_its_state(dataset):
    configs = recipes(CONFIG, sweep=SWEEP)
    before = [tree_digest(state._replace(batch_stats=())) for state in first_states(configs)]
    run_epoch = compile_epoch(configs, dataset, Placement())
    after, _ = run_epoch(stack_members(first_states(configs)), np.array([True, False, True]))
    digests = [tree_digest(take_member(after, k)._replace(batch_stats=())) for k in (0, 1)]
    assert digests[1] == before[1]
    assert digests[0] != before[0]


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory) -> tuple[list[Path], list[TrainState]]:
    """A population that nothing interrupted."""
    place = directories(tmp_path_factory.mktemp("population"), 3)
    lines: list[str] = []
    configs = recipes(CONFIG, sweep=SWEEP)
    states = fit_members(configs, dataset, place, report=lambda told: lines.append(str(told)))
    assert any("Member 2 (learning_rate 1e+38, seed 0) is left alone" in line for line in lines)
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 3
    assert epochs[-1].endswith(" 0:00 left")  # the broken member's epochs are not waited for
    assert metrics(place[2]) == []
    assert [int(state.epoch) for state in states] == [3, 3, 0]
    return place, states


def test_a_broken_member_is_named_after_its_epochs_line(dataset, tmp_path, monkeypatch):
    """Also where saving takes long."""

    def slow_save(run_dir, state, **options):
        time.sleep(0.3)
        save(run_dir, state, **options)

    save, lines = checkpoint.save, list[str]()
    monkeypatch.setattr(directory_store.checkpoint, "save", slow_save)
    configs = recipes(replace(CONFIG, epochs=1), sweep=SWEEP)
    fit_members(
        configs, dataset, directories(tmp_path, 3), report=lambda told: lines.append(str(told))
    )
    (epoch,) = (number for number, line in enumerate(lines) if line.startswith("epoch "))
    assert lines[epoch + 1].startswith("Member 2 ")


def test_a_kill_between_two_members_saves_changes_no_bit(whole, dataset, tmp_path, monkeypatch):
    def interrupted_save(run_dir, state, **options):
        if run_dir.name == "1" and int(state.epoch) == 2:
            raise KeyboardInterrupt
        save(run_dir, state, **options)

    save, place = checkpoint.save, directories(tmp_path, 3)
    configs = recipes(CONFIG, sweep=SWEEP)
    monkeypatch.setattr(directory_store.checkpoint, "save", interrupted_save)
    with pytest.raises(KeyboardInterrupt):
        fit_members(configs, dataset, place, report=silent)
    monkeypatch.undo()
    assert [checkpoint.epochs(path) for path in place] == [[1, 2], [1], []]
    lines: list[str] = []
    states = fit_members(configs, dataset, place, report=lambda told: lines.append(str(told)))
    assert lines[0].startswith("Resuming after epoch 0 to 2")
    for k in (0, 1):
        assert tree_digest(states[k]) == tree_digest(whole[1][k])
        assert metrics(place[k]) == metrics(whole[0][k])


def test_a_member_is_an_ordinary_run(whole, dataset, tmp_path):
    """It is finished for fit, and goes on alone where its recipe does."""
    run = tmp_path / "run"
    shutil.copytree(whole[0][0], run)
    config = replace(CONFIG, learning_rate=1e-3)
    lines: list[str] = []
    assert tree_digest(
        fit_state(config, dataset, run, report=lambda told: lines.append(str(told)))
    ) == tree_digest(whole[1][0])
    assert "is finished" in lines[0]
    longer = replace(config, epochs=4)
    assert int(fit_state(longer, dataset, run, report=silent).epoch) == 4


def test_directories_of_a_population(tmp_path):
    assert member_directories(tmp_path / "one", ["seed 0"]) == [tmp_path / "one"]
    place = member_directories(tmp_path / "two", ["seed 0", "seed 1"])
    assert (
        place
        == members(tmp_path / "two")
        == [tmp_path / "two" / "members" / str(k) for k in (0, 1)]
    )
    assert members(tmp_path / "one") == [tmp_path / "one"]
    with pytest.raises(InputError, match="holds 2 other members, the first of them seed 0"):
        member_directories(tmp_path / "two", ["a", "b", "c"])
    (tmp_path / "two" / "evaluation.json").write_text("{}")
    assert member_directories(tmp_path / "two", ["a", "b"], overwrite=True) == place
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["population.json"]
    with pytest.raises(InputError, match="holds two, and is not a population"):
        member_directories(tmp_path, ["seed 0", "seed 1"])
