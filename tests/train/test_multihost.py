"""Two real processes that train together over the loopback: as one does, killed and resumed,
started wrongly.
"""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils
from jax.flatten_util import ravel_pytree
from optax.tree_utils import tree_get

from jaxae.build import state_shapes
from jaxae.cli import train
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.errors import InputError, silent
from jaxae.runs import checkpoint, metrics_log
from jaxae.runs.manifest import tree_digest
from jaxae.train.multihost import ALONE, Processes
from tests import ROOT
from tests.cli.test_command import call
from tests.helpers import fit_state

# Gradients of the first step agree to 5e-5; AdamW turns rounding errors into whole steps, and a
# tiny rate keeps these small.
CONFIG = Config(
    dataset="synthetic",
    epochs=3,
    batch_size=64,
    learning_rate=1e-7,
    widths=(64, 16),
)


def start(place: Path, *options: str, second: tuple[str, ...] = ()) -> list[subprocess.Popen[str]]:
    """Two processes with a free port; second: options of the second one alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        str(ROOT / "tests" / "train" / "several_processes.py"),
        "--place",
        str(place),
        *options,
    ]
    command += ["--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process-id"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    pipe = subprocess.PIPE
    return [
        subprocess.Popen(
            [*command, str(k), *(second if k else ())],
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=environment,
        )
        for k in (0, 1)
    ]


def finish(both: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each."""
    try:
        return [
            (out := process.communicate(timeout=100)) and (process.returncode, *out)
            for process in both
        ]
    finally:
        for process in both:
            process.kill()


def latest(run_dir: Path) -> TrainState:
    like = state_shapes(CONFIG)
    state = checkpoint.load_latest(run_dir, like)
    assert state
    return state


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run of two processes that nothing interrupted."""
    place = tmp_path_factory.mktemp("whole")
    (code, out, err), (other_code, other_out, other_err) = finish(start(place))
    assert (code, other_code) == (0, 0), err + other_err
    assert out == f"{place}\n"
    assert other_out == ""
    assert err.count("\nepoch ") == 3
    assert "Compiled for 2 × " in err
    assert "epoch" not in other_err
    return place / "0"


def gradients_differ(a: TrainState, b: TrainState) -> float:
    """The distance of the gradients' running means, relative to their length: √2 for unrelated
    ones.
    """
    x, y = (np.asarray(ravel_pytree(tree_get(state.opt_state, "mu"))[0]) for state in (a, b))
    return float(np.linalg.norm(x - y) / np.linalg.norm(y))


@pytest.mark.slow
def test_two_processes_train_as_one(whole, dataset, tmp_path):
    """Losses and gradients of 24 steps agree within rounding; those of another seed do not."""
    alone, other = (
        fit_state(replace(CONFIG, seed=seed), dataset, tmp_path / str(seed), report=silent)
        for seed in (CONFIG.seed, CONFIG.seed + 1)
    )
    of_two, of_one = (
        [row["train_loss"] for row in metrics_log.read(run)]
        for run in (whole, tmp_path / str(CONFIG.seed))
    )
    np.testing.assert_allclose(of_two, of_one, rtol=1e-5)
    assert gradients_differ(latest(whole), alone) < 0.05
    assert gradients_differ(other, alone) > 0.3


@pytest.mark.slow
def test_a_process_that_is_killed_ends_both_and_the_same_command_goes_on_to_the_same_bits(
    whole, dataset, tmp_path
):
    both = start(tmp_path)
    assert both[0].stderr
    for line in both[0].stderr:
        if line.startswith("epoch   1"):
            break
    both[1].kill()
    code, _, err = finish(both)[0]
    assert code == 2
    assert err.splitlines()[-1].startswith("error: another process is gone")
    assert "Traceback" not in err
    saved = checkpoint.epochs(tmp_path / "0")
    assert saved
    shutil.copytree(tmp_path / "0", tmp_path / "copy")
    assert [code for code, _, _ in finish(start(tmp_path))] == [0, 0]
    assert "is finished" in (again := finish(start(tmp_path)))[0][2]
    assert [code for code, _, _ in again] == [0, 0]
    assert tree_digest(latest(tmp_path / "0")) == tree_digest(latest(whole))
    alone = fit_state(
        CONFIG, dataset, tmp_path / "copy", report=silent
    )  # a checkpoint of two processes goes on in one
    assert float(alone.best_loss) == pytest.approx(float(latest(whole).best_loss), rel=1e-3)


@pytest.mark.slow
def test_each_process_trains_its_members_and_the_first_saves_them(dataset, tmp_path):
    outcomes = finish(start(tmp_path / "two", "--seeds", "2", "--epochs", "1"))
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    alone = [
        fit_state(replace(CONFIG, seed=k, epochs=1), dataset, tmp_path / f"one-{k}", report=silent)
        for k in (0, 1)
    ]
    together = [latest(tmp_path / "two" / str(k)) for k in (0, 1)]
    assert max(gradients_differ(a, b) for a, b in zip(together, alone, strict=True)) < 0.05
    assert gradients_differ(*together) > 0.3


@pytest.mark.slow
def test_a_process_with_another_recipe_is_refused_by_both(tmp_path):
    for code, _, err in finish(start(tmp_path, second=("--epochs", "4"))):
        assert code == 2
        assert err.count("error: ") == 1
        assert err.endswith(
            "error: Process 1 has another recipe than process 0: "
            "start all with the same options and data\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_one_process_alone_agrees_with_itself():
    tree = {"x": np.arange(3), "key": jax.random.key(0)}
    assert ALONE.first
    assert ALONE.from_first(tree, tree) is tree
    assert ALONE.gather("text") == ["text"]
    ALONE.check_agreement(recipe={"a": 1})
    with pytest.raises(InputError, match="wrong"), ALONE.share_errors():
        raise InputError("wrong")


def test_arrays_of_the_first_process_reach_the_others_in_messages_of_one_size(monkeypatch):
    """As JAX wants them: what the others send does not count."""
    tree = {"x": np.arange(3, dtype=np.float32), "key": jax.random.key(7), "n": np.int32(4)}
    sent: list[np.ndarray] = []

    def broadcast(packed: np.ndarray) -> np.ndarray:
        sent.append(packed)
        return sent[0]

    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", broadcast)
    first = Processes(2, 0).from_first(tree, tree)
    other = Processes(2, 1).from_first(None, jax.eval_shape(lambda: tree))
    assert tree_digest(first) == tree_digest(other) == tree_digest(tree)
    assert sent[1].shape == sent[0].shape


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--processes", "2"], "without --coordinator"),
        (["--coordinator", "localhost"], "give HOST:PORT"),
        (["--coordinator", "5555"], "give HOST:PORT"),
        (["--coordinator", "localhost:1"], "give --process-id too, and how many processes"),
        (
            ["--coordinator", "localhost:1", "--processes", "2", "--process-id", "2"],
            "one of 0 to 1",
        ),
    ],
)
def test_an_impossible_meeting_is_refused_in_one_line(options, expected, tmp_path, capsys):
    assert call(train.main, "--run-dir", str(tmp_path / "run"), *options) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_texts_of_any_length_travel_in_messages_of_one_size(monkeypatch):
    """As between two processes that say the same."""
    sizes: list[int] = []

    def allgather(padded: np.ndarray) -> np.ndarray:
        sizes.append(padded.size)
        return np.stack([padded, padded])

    monkeypatch.setattr(multihost_utils, "process_allgather", allgather)
    texts = {
        "": "",
        "short": "short",
        "x" * 1000: "x" * 1000,
        "x" * 1001: "x" * 1000,
        "ä" * 501: "ä" * 500,
    }
    assert [Processes(2, 0).gather(text) for text in texts] == [
        [got, got] for got in texts.values()
    ]
    assert len(set(sizes)) == 1
