import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.build import build_parts
from jaxae.config import Config
from jaxae.core.state import TrainState, init_state, init_variables, model_variables
from jaxae.core.step import end_epoch
from jaxae.digests import tree_digest
from jaxae.errors import InputError
from jaxae.rng import root_key
from jaxae.runs import checkpoint, manifest


@pytest.fixture(scope="module")
def state() -> TrainState:
    """A state whose every leaf differs from its initial value."""
    key = root_key(5, impl="philox2x32")
    state = jax.jit(functools.partial(init_state, parts=build_parts(Config())))(key)
    rng = np.random.default_rng(0)
    noisy = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), state._replace(key=jnp.zeros(())))
    return noisy._replace(key=key, epoch=jnp.int32(1), best_epoch=jnp.int32(1))


def like(config: Config) -> TrainState:
    key = root_key(0, impl=config.prng_impl)
    return jax.eval_shape(functools.partial(init_state, parts=build_parts(config)), key)


def equal(a, b) -> bool:
    return tree_digest(a) == tree_digest(b)


def at(state: TrainState, epoch: int) -> TrainState:
    return state._replace(epoch=jnp.int32(epoch), best_epoch=jnp.int32(epoch))


def test_what_is_saved_is_loaded_to_the_bit(state, tmp_path):
    assert checkpoint.load_latest(tmp_path, like(Config())) is None
    checkpoint.save(tmp_path, state)
    loaded = checkpoint.load_latest(tmp_path, like(Config()))
    assert loaded is not None
    assert str(jax.tree.structure(loaded)) == str(jax.tree.structure(state))
    assert equal(loaded, state)


def test_best_and_latest_are_kept_whatever_comes_after(state, tmp_path):
    plateau = build_parts(Config()).plateau
    fresh = state._replace(epoch=jnp.int32(0), best_loss=jnp.float32(jnp.inf), plateau=plateau.init(state.params))
    for loss in [0.5, 0.3, 0.3, 0.4, 0.6]:  # a tie keeps the earlier epoch
        fresh, _ = end_epoch(fresh, jnp.float32(loss), plateau=plateau)
        epoch = int(fresh.epoch)
        checkpoint.save(tmp_path, fresh._replace(params=jax.tree.map(lambda x, e=epoch: x + e, state.params)))
    latest = checkpoint.load_latest(tmp_path, like(Config()))
    assert latest is not None
    assert int(latest.epoch) == 5
    variables, epoch = checkpoint.load_best(tmp_path, model_variables(like(Config())))
    assert epoch == 2
    assert equal(variables["params"], jax.tree.map(lambda x: x + 2, state.params))
    assert sorted(path.name for path in (tmp_path / checkpoint.FOLDER).iterdir()) == ["2", "4", "5"]


def test_another_models_checkpoint_is_refused_and_the_leaf_is_named(state, tmp_path):
    checkpoint.save(tmp_path, state)
    with pytest.raises(InputError, match=r"does not fit.*encoder") as caught:
        checkpoint.load_latest(tmp_path, like(Config(latent_activation="relu")))
    assert "\n" not in str(caught.value)


def test_another_dtype_is_refused_and_not_cast(state, tmp_path):
    checkpoint.save(tmp_path, state)
    wanted = like(Config())
    wanted = wanted._replace(best_loss=jnp.float16(0))
    with pytest.raises(InputError, match=r"best_loss is float32.*float16"):
        checkpoint.load_latest(tmp_path, wanted)


def largest_file(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


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
    loaded = checkpoint.load_latest(tmp_path, like(Config()), report=lines.append)
    assert loaded is not None
    assert equal(loaded, at(state, 2))
    assert len(lines) == 1
    assert str(newest) in lines[0]
    assert (tmp_path / checkpoint.ASIDE / "3-0").is_dir()
    assert checkpoint.load_latest(tmp_path, like(Config()), report=lines.append) is not None
    assert len(lines) == 1


def test_a_damaged_best_is_an_error_and_never_another_model(state, tmp_path):
    checkpoint.save(tmp_path, state)
    checkpoint.save(tmp_path, at(state, 2)._replace(best_epoch=jnp.int32(1)))
    flip(largest_file(tmp_path / checkpoint.FOLDER / "1" / "variables"))
    with pytest.raises(InputError, match=r"states/1.*--overwrite"):
        checkpoint.load_best(tmp_path, model_variables(like(Config())))


def test_an_epoch_is_not_saved_twice(state, tmp_path):
    checkpoint.save(tmp_path, state)
    with pytest.raises(InputError, match="can't take the checkpoint of epoch 1"):
        checkpoint.save(tmp_path, state)


def test_no_checkpoint_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint"):
        checkpoint.load_best(tmp_path, model_variables(like(Config())))


def test_a_released_checkpoint_is_small_evaluates_and_says_that_it_does_not_resume(state, tmp_path):
    whole, small = tmp_path / "whole", tmp_path / "small"
    checkpoint.save(whole, state)
    variables = model_variables(like(Config()))
    checkpoint.release(whole, small, variables)
    size = lambda path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())  # noqa: E731
    assert size(small) < 0.4 * size(whole)
    assert equal(checkpoint.load_best(small, variables)[0], model_variables(state))
    with pytest.raises(InputError, match="can't be resumed"):
        checkpoint.load_latest(small, like(Config()))


def test_variables_need_no_knowledge_of_the_optimiser(state, tmp_path):
    """Evaluation builds the model alone."""
    checkpoint.save(tmp_path, state)
    shapes = jax.eval_shape(functools.partial(init_variables, model=build_parts(Config()).model), root_key(0))
    assert equal(checkpoint.load_best(tmp_path, shapes)[0], model_variables(state))


def test_a_person_can_read_what_a_checkpoint_holds(state, tmp_path):
    checkpoint.save(tmp_path, state)
    content = json.loads((tmp_path / checkpoint.FOLDER / "1" / manifest.NAME).read_text())["content"]
    assert content["leaves"]["variables"]["params/encoder/Layer_0/Dense_0/kernel"] == "float32[784, 512]"


def test_a_checkpoint_names_no_path_of_the_machine(state, tmp_path):
    checkpoint.save(tmp_path, state)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path
