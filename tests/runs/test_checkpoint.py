import functools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import build_parts
from jaxae.config import Config
from jaxae.core.rng import root_key
from jaxae.core.state import TrainState, end_epoch, init_state, init_variables, model_variables
from jaxae.digests import json_digest
from jaxae.errors import DamagedError, InputError
from jaxae.runs import checkpoint, manifest
from jaxae.runs.manifest import tree_digest

RECIPE = Config(widths=(128, 8), restore_best=False)


@pytest.fixture(scope="module")
def state() -> TrainState:
    """A state whose every leaf differs from its initial value."""
    key = root_key(5)
    state = jax.jit(functools.partial(init_state, parts=build_parts(RECIPE)))(key)
    rng = np.random.default_rng(0)
    noisy = jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), state._replace(key=jnp.zeros(()))
    )
    return noisy._replace(key=key, epoch=jnp.int32(1), best_epoch=jnp.int32(1))


def like(config: Config) -> TrainState:
    key = root_key(0)
    return jax.eval_shape(functools.partial(init_state, parts=build_parts(config)), key)


def equal(a, b) -> bool:
    return tree_digest(a) == tree_digest(b)


def at(state: TrainState, epoch: int) -> TrainState:
    return state._replace(epoch=jnp.int32(epoch), best_epoch=jnp.int32(epoch))


def test_what_is_saved_is_loaded_to_the_bit(state, tmp_path):
    run_dir = tmp_path / "not there" / "yet"
    assert checkpoint.load_latest(run_dir, like(RECIPE)) is None
    checkpoint.save(run_dir, state)
    loaded = checkpoint.load_latest(run_dir, like(RECIPE))
    assert loaded is not None
    assert str(jax.tree.structure(loaded)) == str(jax.tree.structure(state))
    assert equal(loaded, state)


def test_a_checkpoint_of_a_version_without_a_field_that_is_not_used_is_loaded(state, tmp_path):
    """Orbax compares the names of fields, also of those that hold nothing: best_state was not there
    before.
    """
    older = {
        name: value
        for name, value in checkpoint._items(state)["training"].items()
        if name != "best_state"
    }
    items, epoch = {"variables": model_variables(state), "training": older}, str(int(state.epoch))
    place = tmp_path / checkpoint.FOLDER / epoch
    place.parent.mkdir()
    checkpoint.write_checkpoint(
        place, items, best_epoch=int(state.best_epoch), owner=manifest.NOBODY
    )
    loaded = checkpoint.load_latest(tmp_path, like(RECIPE))
    assert loaded is not None
    assert equal(loaded, state)


def test_best_and_latest_are_kept_whatever_comes_after(state, tmp_path):
    plateau = build_parts(RECIPE).plateau
    fresh = state._replace(
        epoch=jnp.int32(0), best_loss=jnp.float32(jnp.inf), plateau=plateau.init(state.params)
    )
    end = jax.jit(functools.partial(end_epoch, plateau=plateau))
    for loss in [0.5, 0.3, 0.3, 0.4, 0.6]:  # a tie keeps the earlier epoch
        fresh, _ = end(fresh, jnp.float32(loss))
        epoch = int(fresh.epoch)
        checkpoint.save(
            tmp_path, fresh._replace(average=jax.tree.map(lambda x, e=epoch: x + e, state.average))
        )
    latest = checkpoint.load_latest(tmp_path, like(RECIPE))
    assert latest is not None
    assert int(latest.epoch) == 5
    variables, epoch, _ = checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))
    assert epoch == 2
    assert equal(variables["params"], jax.tree.map(lambda x: x + 2, state.average))
    assert sorted(path.name for path in (tmp_path / checkpoint.FOLDER).iterdir()) == ["2", "4", "5"]


def test_another_models_checkpoint_is_refused_and_the_leaf_is_named(state, tmp_path):
    checkpoint.save(tmp_path, state)
    with pytest.raises(InputError, match=r"does not fit.*encoder") as caught:
        checkpoint.load_latest(tmp_path, like(replace(RECIPE, latent_activation="relu")))
    assert "\n" not in str(caught.value)


def test_another_dtype_is_refused_and_not_cast(state, tmp_path):
    checkpoint.save(tmp_path, state)
    wanted = like(RECIPE)
    wanted = wanted._replace(best_loss=jnp.float16(0))
    with pytest.raises(InputError, match=r"best_loss is float32.*float16"):
        checkpoint.load_latest(tmp_path, wanted)


def largest_file(folder: Path) -> Path:
    return max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", ["flip", "manifest", "delete"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_taken(state, tmp_path, damage):
    for epoch in (1, 2, 3):
        checkpoint.save(tmp_path, at(state, epoch))
    newest = tmp_path / checkpoint.FOLDER / "3"
    if damage == "delete":
        largest_file(newest).unlink()
    else:
        flip(largest_file(newest / "variables") if damage == "flip" else newest / manifest.NAME)
    lines: list[str] = []
    loaded = checkpoint.load_latest(tmp_path, like(RECIPE), report=lines.append)
    assert loaded is not None
    assert equal(loaded, at(state, 2))
    assert len(lines) == 1
    assert str(newest) in lines[0]
    assert (tmp_path / checkpoint.ASIDE / "3-0").is_dir()
    assert checkpoint.load_latest(tmp_path, like(RECIPE), report=lines.append) is not None
    assert len(lines) == 1


def test_a_damaged_best_is_named_with_the_epochs_that_are_whole(state, tmp_path):
    save_four(state, tmp_path)
    like_variables = model_variables(like(RECIPE))
    assert checkpoint.load_best(tmp_path, like_variables).epoch == 2

    flip(largest_file(tmp_path / checkpoint.FOLDER / "2" / "variables"))
    with pytest.raises(DamagedError) as caught:
        checkpoint.load_best(tmp_path, like_variables)
    for words in ("states/2", "epochs 3, 4 can be loaded", "jaxae.load(run_dir, epoch=4)"):
        assert words in str(caught.value)

    found = checkpoint.load_best(tmp_path, like_variables, epoch=3)
    assert found.epoch == 3
    assert equal(found.variables["params"], jax.tree.map(lambda x: x + 3, state.average))


def test_a_damaged_latest_does_not_tell_which_is_the_best(state, tmp_path):
    save_four(state, tmp_path)
    flip(tmp_path / checkpoint.FOLDER / "4" / manifest.NAME)
    with pytest.raises(DamagedError, match=r"states/4.*epochs 2, 3 can be loaded"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))


def test_an_epoch_that_is_not_there_is_named_with_those_that_are(state, tmp_path):
    save_four(state, tmp_path)
    with pytest.raises(InputError, match=r"epoch is 1, but .* has epochs 2, 3, 4: give one"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)), epoch=1)


def test_no_whole_checkpoint_is_an_error_that_names_the_best(state, tmp_path):
    save_four(state, tmp_path)
    for epoch in (2, 3, 4):
        flip(largest_file(tmp_path / checkpoint.FOLDER / str(epoch) / "variables"))
    with pytest.raises(DamagedError, match=r"states/2.*No other is whole: restore it"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))


def save_four(state: TrainState, place: Path) -> None:
    """Epochs 1 to 4, the second one the best."""
    for epoch in (1, 2, 3, 4):
        average = jax.tree.map(lambda x, e=epoch: x + e, state.average)
        best_epoch = jnp.int32(min(epoch, 2))
        checkpoint.save(
            place, state._replace(epoch=jnp.int32(epoch), best_epoch=best_epoch, average=average)
        )


def test_an_epoch_is_not_saved_twice(state, tmp_path):
    checkpoint.save(tmp_path, state)
    with pytest.raises(InputError, match="can't take the checkpoint of epoch 1"):
        checkpoint.save(tmp_path, state)


def test_no_checkpoint_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))


def test_a_released_checkpoint_is_small_evaluates_and_says_that_it_does_not_resume(state, tmp_path):
    whole, small = tmp_path / "whole", tmp_path / "small"
    checkpoint.save(whole, state)
    variables = model_variables(like(RECIPE))
    checkpoint.release(whole, small, variables)
    sizes = [
        sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        for place in (small, whole)
    ]
    assert sizes[0] < 0.4 * sizes[1]
    assert equal(checkpoint.load_best(small, variables)[0], model_variables(state))
    with pytest.raises(InputError, match="can't be resumed"):
        checkpoint.load_latest(small, like(RECIPE))


def test_variables_need_no_knowledge_of_the_optimiser(state, tmp_path):
    """Evaluation builds the model alone."""
    checkpoint.save(tmp_path, state)
    shapes = jax.eval_shape(
        functools.partial(init_variables, model=build_parts(RECIPE).model), root_key(0)
    )
    assert equal(checkpoint.load_best(tmp_path, shapes)[0], model_variables(state))


def test_a_person_can_read_what_a_checkpoint_holds(state, tmp_path):
    checkpoint.save(tmp_path, state)
    content = json.loads((tmp_path / checkpoint.FOLDER / "1" / manifest.NAME).read_text())[
        "content"
    ]
    assert content["leaves"]["variables"]["params/encoder/dense_0/kernel"] == "float32[784, 128]"


def test_a_checkpoint_names_no_path_of_the_machine(state, tmp_path):
    checkpoint.save(tmp_path, state)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path


def test_a_manifest_with_the_digests_of_files_that_were_written_before_is_read(state, tmp_path):
    checkpoint.save(tmp_path, state)
    lie_about(tmp_path / checkpoint.FOLDER / "1", {"files": {"variables/_METADATA": "0" * 64}})
    assert equal(checkpoint.read(tmp_path, 1, like(RECIPE)), state)


def lie_about(folder: Path, lie: dict[str, Any]) -> None:
    """Edit the manifest, and its own digest with it."""
    path = folder / manifest.NAME
    content = json.loads(path.read_text())["content"] | lie
    path.write_text(json.dumps({"sha256": json_digest(content), "content": content}))


@pytest.mark.parametrize("item", ["variables", "training"])
def test_other_arrays_than_those_saved_are_noticed(item, state, tmp_path):
    checkpoint.save(tmp_path, state)
    folder = tmp_path / checkpoint.FOLDER / "1"
    digests = manifest.read_manifest(folder).sha256
    lie_about(folder, {"sha256": digests | {item: "0" * 64}})
    with pytest.raises(
        DamagedError, match=f"the SHA-256 of its {item} is not the one that was saved"
    ):
        checkpoint.read(tmp_path, 1, like(RECIPE))


OWNER = manifest.owner_of(Config(seed=1), data_sha256="a" * 64)


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (manifest.owner_of(Config(seed=2), data_sha256="a" * 64), "another run (seed: 1, not 2)"),
        (
            manifest.owner_of(Config(seed=1, dropout=(0.0, 0.0, 0.0)), data_sha256="a" * 64),
            "another run (dropout",
        ),
        (manifest.owner_of(Config(seed=1), data_sha256="b" * 64), "trained on other data"),
        (
            manifest.owner_of(Config(seed=1, epochs=7), data_sha256="a" * 64),
            "",
        ),  # told to go on for longer
        (manifest.owner_of(Config(seed=1)), ""),  # to evaluate, before any data are read
    ],
)
def test_another_runs_checkpoint_is_refused(owner, words, state, tmp_path):
    checkpoint.save(tmp_path, state, owner=OWNER)
    for load in (
        lambda: checkpoint.load_latest(tmp_path, like(RECIPE), owner=owner),
        lambda: checkpoint.load_best(tmp_path, model_variables(like(RECIPE)), owner=owner),
    ):
        if words:
            with pytest.raises(InputError, match=re.escape(words)):
                load()
        else:
            assert load() is not None


def test_a_checkpoint_under_another_epochs_name_is_set_aside(state, tmp_path):
    checkpoint.save(tmp_path, state)
    shutil.copytree(tmp_path / "states" / "1", tmp_path / "states" / "9")
    lines: list[str] = []
    loaded = checkpoint.load_latest(tmp_path, like(RECIPE), report=lines.append)
    assert loaded is not None
    assert int(loaded.epoch) == 1
    assert "states/9 is of epoch 1" in lines[0]


LIES: dict[str, Any] = {
    "no leaves": {"leaves": {}, "sha256": {}},
    "an item without a digest": {"sha256": {}},
    "lists for dicts": {"leaves": [], "sha256": []},
    "numbers": {"sha256": 3},
    "an owner that is none": {"owner": {"recipe": 3}},
    "a path for an epoch": {"best_epoch": "../../other/states/6"},
    "an epoch below 0": {"best_epoch": -1},
    "something more": {"more": 1},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_consistently_is_damaged(lie, state, tmp_path):
    checkpoint.save(tmp_path, state)
    lie_about(tmp_path / "states" / "1", LIES[lie])
    with pytest.raises(DamagedError, match=r"manifest\.json is missing or damaged"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))
    assert checkpoint.load_latest(tmp_path, like(RECIPE)) is None


def test_what_orbax_cannot_read_although_its_digests_fit_is_set_aside(state, tmp_path, monkeypatch):
    """What Orbax raises of a damaged file; it goes on in threads of its own, whose end no test
    should wait for.
    """
    for epoch in (1, 2):
        checkpoint.save(tmp_path, at(state, epoch))
    read_items = checkpoint.read_items

    def read(folder, shapes):
        if folder.name == "2":
            raise ValueError("DATA_LOSS: Error opening\n zarr3 driver")
        return read_items(folder, shapes)

    monkeypatch.setattr(checkpoint, "read_items", read)
    with pytest.raises(DamagedError, match="epoch 1 can be loaded"):
        checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))
    lines: list[str] = []
    loaded = checkpoint.load_latest(tmp_path, like(RECIPE), report=lines.append)
    assert loaded is not None
    assert equal(loaded, at(state, 1))
    assert "Orbax can't read the checkpoint" in lines[0]
    assert "states/2" in lines[0]


@pytest.mark.parametrize(
    "lie", [{"epoch": 3}, {"epoch": 3, "best_epoch": 3}, {"epoch": 3, "best_epoch": 2}]
)
def test_a_state_of_another_epoch_or_best_than_its_manifest_says_is_set_aside(lie, state, tmp_path):
    """The state of epoch 2 with a manifest that says 3, and digests that fit."""
    for epoch in (1, 2):
        checkpoint.save(tmp_path, at(state, epoch))
    folder = shutil.copytree(tmp_path / "states" / "2", tmp_path / "states" / "3")
    lie_about(folder, lie)
    lines: list[str] = []
    loaded = checkpoint.load_latest(tmp_path, like(RECIPE), report=lines.append)
    assert loaded is not None
    assert equal(loaded, at(state, 2))
    assert "should be of epoch 3" in lines[0]
    assert "holds (2, 2)" in lines[0]


def test_a_best_that_a_trainer_replaces_meanwhile_is_read_again(state, tmp_path, monkeypatch):
    checkpoint.save(tmp_path, state)
    read_items = checkpoint.read_items

    def slow(folder, shapes):
        if folder.name == "1":
            for epoch in (2, 3, 4):
                checkpoint.save(tmp_path, at(state, epoch))
            raise ValueError("it is gone")
        return read_items(folder, shapes)

    monkeypatch.setattr(checkpoint, "read_items", slow)
    variables, epoch, _ = checkpoint.load_best(tmp_path, model_variables(like(RECIPE)))
    assert epoch == 4
    assert equal(variables, model_variables(state))
