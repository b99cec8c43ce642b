"""A run that goes on from another's checkpoint, in a directory of its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import first_state, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables, restorable
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError, silent
from jaxae.runs import checkpoint, metrics_log
from jaxae.runs.checkpoint import load_best
from jaxae.runs.manifest import owner_of, tree_digest
from jaxae.train.loop import fit_members
from jaxae.train.resume import Origin, begin_from
from tests.helpers import fit_state
from tests.train.test_loop import metrics

CONFIG = Config(dataset="synthetic", epochs=6, batch_size=64, learning_rate=3e-3, widths=(64, 16))
LOWER = replace(CONFIG, learning_rate=1e-3)


@pytest.fixture(scope="module")
def old(dataset, tmp_path_factory) -> Path:
    """Epochs 1 to 4 of a run whose best is epoch 2, and whose learning rate has fallen."""
    place = tmp_path_factory.mktemp("old") / "old"
    place.mkdir()
    (place / "config.json").write_text(CONFIG.to_json())
    state = first_state(CONFIG)
    for epoch in (1, 2, 3, 4):
        metrics_log.append(
            place, {"data": "SYNTHETIC", "epoch": epoch, "validation_loss": 1.0 / epoch}
        )
        scale = state.plateau._replace(scale=jnp.float32(0.5))
        params = jax.tree.map(lambda x, e=epoch: x + e / 100, state.params)
        best = {
            "best_loss": jnp.float32(0.3),
            "best_epoch": jnp.int32(min(epoch, 2)),
            "drop_epoch": jnp.int32(1),
        }
        saved = state._replace(
            epoch=jnp.int32(epoch), step=jnp.int32(8 * epoch), params=params, plateau=scale, **best
        )
        checkpoint.save(place, saved, owner=owner_of(CONFIG, data_sha256=dataset.digest))
    return place


def begun(old: Path, new: Path, config: Config, epoch: str, dataset: Dataset) -> TrainState:
    begin_from(Origin(old, epoch), [new], [config], dataset, report=silent)
    digest = dataset.digest
    state = checkpoint.load_latest(
        new, state_shapes(config), owner=owner_of(config, data_sha256=digest)
    )
    assert state is not None
    return state


@pytest.mark.parametrize(("epoch", "number"), [("best", 2), ("latest", 4), ("3", 3)])
def test_weights_go_on_and_the_plateau_begins_anew(epoch, number, old, dataset, tmp_path):
    state = begun(old, tmp_path, LOWER, epoch, dataset)
    theirs, first = checkpoint.read(old, number, state_shapes(CONFIG)), first_state(LOWER)
    for name in ("params", "batch_stats", "opt_state", "step", "epoch"):
        assert tree_digest(getattr(state, name)) == tree_digest(getattr(theirs, name)), name
    assert tree_digest(state.plateau) == tree_digest(first.plateau)
    assert int(state.best_epoch) == number
    assert float(state.best_loss) == (np.float32(0.3) if number == 2 else np.inf)
    assert [row["epoch"] for row in metrics_log.read(tmp_path)] == list(range(1, number + 1))
    found = load_best(tmp_path, model_variables(state_shapes(LOWER)))
    assert (found.epoch, tree_digest(found.variables)) == (
        number,
        tree_digest(model_variables(theirs)),
    )


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_goes_back_to_its_best_has_the_state_that_it_began_with(
    before, after, dataset, tmp_path
):
    """Whether or not the run before kept one."""
    place, recipe = tmp_path / "old", replace(CONFIG, restore_best=before)
    place.mkdir()
    (place / "config.json").write_text(recipe.to_json())
    metrics_log.append(place, {"data": "SYNTHETIC", "epoch": 1, "validation_loss": 1.0})
    saved = first_state(recipe)._replace(epoch=jnp.int32(1), best_epoch=jnp.int32(1))
    saved = saved._replace(params=jax.tree.map(lambda x: x + 1, saved.params))
    checkpoint.save(place, saved, owner=owner_of(recipe, data_sha256=dataset.digest))
    state = begun(place, tmp_path / "new", replace(LOWER, restore_best=after), "best", dataset)
    assert tree_digest(state.params) == tree_digest(saved.params)
    assert tree_digest(state.best_state) == tree_digest(restorable(saved) if after else None)


@pytest.mark.parametrize("other", [{"seed": 7}, {"noise_factor": 0.4}])
def test_a_best_loss_of_other_noisy_images_is_not_kept(other, old, dataset, tmp_path):
    state = begun(old, tmp_path, replace(LOWER, **other), "best", dataset)
    assert float(state.best_loss) == np.inf
    assert tree_digest(state.key) == tree_digest(first_state(replace(LOWER, **other)).key)


def test_training_goes_on_at_the_recipes_rate_and_is_resumed_as_any_run(old, dataset, tmp_path):
    def interrupt(line: str) -> None:
        if str(line).startswith("epoch   4"):
            raise KeyboardInterrupt

    lines: list[str] = []
    whole, cut, origin = tmp_path / "whole", tmp_path / "cut", Origin(old)
    begin_from(origin, [whole], [LOWER], dataset, report=lines.append)
    state = fit_state(LOWER, dataset, whole)
    assert f"Going on from epoch 2 of {old}" in lines[0]
    assert int(state.epoch) == 6
    assert metrics(whole)[2]["learning_rate"] == 1e-3
    begin_from(origin, [cut], [LOWER], dataset, report=silent)
    with pytest.raises(KeyboardInterrupt):
        fit_members([LOWER], dataset, [cut], report=interrupt)
    begin_from(origin, [cut], [LOWER], dataset, report=silent)  # it has begun: nothing changes
    assert tree_digest(fit_state(LOWER, dataset, cut)) == tree_digest(state)
    assert metrics(cut) == metrics(whole)
    for place in (whole, cut):
        assert json.loads((place / "environment.json").read_text())["resumed_from"] == {
            "run": "old",
            "epoch": 2,
        }
    assert tree_digest(fit_state(LOWER, dataset, whole)) == tree_digest(
        state
    )  # finished, without the option too


def test_a_run_goes_on_with_other_data_and_its_best_loss_does_not_count(old, dataset, tmp_path):
    """The loss of the other data may have been lower than any to come."""
    lines: list[str] = []
    other = dataset._replace(digest="0" * 64, title="others")
    begin_from(Origin(old, "best"), [tmp_path / "new"], [LOWER], other, report=lines.append)
    assert f"others are other data than those of {old}" in lines[0]
    owner = owner_of(LOWER, data_sha256=other.digest)
    state = checkpoint.load_latest(tmp_path / "new", state_shapes(LOWER), owner=owner)
    assert state is not None
    assert np.isinf(state.best_loss)

    begin_from(Origin(old, "best"), [tmp_path / "same"], [LOWER], dataset, report=lines.append)
    owner = owner_of(LOWER, data_sha256=dataset.digest)
    state = checkpoint.load_latest(tmp_path / "same", state_shapes(LOWER), owner=owner)
    assert state is not None
    assert np.isfinite(state.best_loss)


def test_what_cannot_go_on_is_refused_in_one_line(old, dataset, tmp_path):
    def refused(
        words: str,
        *,
        config: Config = LOWER,
        epoch: str = "best",
        place: Path = old,
    ) -> None:
        with pytest.raises(InputError, match=words) as caught:
            begin_from(Origin(place, epoch), [tmp_path / "new"], [config], dataset, report=silent)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "new").exists()

    refused("resume_epoch is 1: give best, latest, or one of 2, 3, 4", epoch="1")
    refused("resume_epoch is first: give", epoch="first")
    refused("epochs is 2, and .* has done 2: give more", config=replace(LOWER, epochs=2))
    refused("does not fit", config=replace(LOWER, widths=(16, 8)))
    refused("does not exist", place=tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text(CONFIG.to_json())
    refused("has no checkpoint to go on from", place=empty)


def test_a_run_that_began_otherwise_is_left_alone(old, dataset, tmp_path):
    begun(old, tmp_path / "new", LOWER, "3", dataset)
    before = checkpoint.epochs(tmp_path / "new")
    for origin, words in (
        (Origin(old, "4"), "began from epoch 3 of old"),
        (Origin(tmp_path / "other"), "began from epoch 3"),
    ):
        with pytest.raises(InputError, match=words):
            begin_from(origin, [tmp_path / "new"], [LOWER], dataset, report=silent)
    shutil.copytree(old, tmp_path / "afresh")
    with pytest.raises(InputError, match="began afresh"):
        begin_from(Origin(old), [tmp_path / "afresh"], [CONFIG], dataset, report=silent)
    assert checkpoint.epochs(tmp_path / "new") == before == [3]
