"""The whole recipe through the commands, as a user runs them, on synthetic data."""

import contextlib
import errno
import importlib
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

import jaxae
from jaxae.cli import evaluate, plot, release, train
from jaxae.cli.main import COMMANDS
from jaxae.cli.main import main as jaxae_command
from jaxae.errors import InputError
from jaxae.evaluation import noise_curve, plots
from jaxae.evaluation.records import Evaluation, NoiseCurve, Scorecard, Spread, read_record
from jaxae.runs import files
from jaxae.runs.checkpoint import epochs
from tests import ROOT
from tests.cli.test_command import call as in_process
from tests.helpers import ABOUT
from tests.runs.test_directory import nobody
from tests.runs.test_tensorboard import values as tensorboard_values
from tests.train.test_loop import metrics

OFFLINE = {
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "",
}  # a test must not download, wherever it runs
RECIPE = ["--dataset", "synthetic", "--widths", "64", "16", "--epochs", "3", "--batch-size", "512"]
FIGURES = [
    "reconstructions",
    "error_maps",
    "noise_robustness",
    "latent_space",
    "latent_grid",
    "noise_drift",
]


def start(command: str, *arguments: object) -> subprocess.Popen[str]:
    """Starts a command in a process of its own."""
    words = [sys.executable, "-m", "jaxae", *command.split(), *map(str, arguments)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | OFFLINE
    )


def call(command: str, *arguments: object) -> tuple[int, str, str]:
    """Run a command in this process, which saves its start. Return exit code, stdout, stderr."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr("sys.argv", ["jaxae", *command.split(), *map(str, arguments)])
        patch.setattr("signal.signal", lambda number, handler: None)
        try:
            jaxae_command()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run, evaluated; its directory got the word SYNTHETIC."""
    wanted = tmp_path_factory.mktemp("scripts") / "run"
    code, out, err = call("train", *RECIPE, "--run-dir", wanted)
    assert code == 0, err
    assert out == f"{wanted}-SYNTHETIC\n"
    assert err.count("SYNTHETIC DATA") == 2
    assert err.count("\nepoch ") == 3
    assert err.count("Two numbers an image explain ") == 1
    return Path(out.strip())


def test_quiet_prints_the_place_alone_and_tensorboard_gets_the_figures(run, tmp_path):
    options = [*RECIPE[:-4], "--epochs", "1", "--batch-size", "512", "--quiet", "--tensorboard"]
    code, out, err = call("train", *options, "--run-dir", tmp_path / "quiet-SYNTHETIC")
    assert code == 0, err
    assert out == f"{tmp_path}/quiet-SYNTHETIC\n"
    assert [line for line in err.splitlines() if not line.startswith("!")] == []
    tags = {tag for tag, *_ in tensorboard_values(tmp_path / "quiet-SYNTHETIC")}
    assert {"figures/reconstructions", "figures/latent_space", "loss/train"} <= tags


@pytest.fixture(scope="module")
def next_commands(run) -> dict[str, str]:
    """What the commands print that training names at its end."""
    _, _, err = call("train", *RECIPE, "--run-dir", run)
    said: dict[str, str] = {}
    for line in err.splitlines():
        if line.startswith("  jaxae "):
            _, *words, place = line.split()
            assert place == str(run)
            code, out, err = call(" ".join(words), place)
            assert code == 0, err
            said[" ".join(words)] = out
    return said


def test_the_end_names_commands_that_work(next_commands):
    assert list(next_commands) == ["evaluate", "plot all", "score", "map", "explore"]


def test_everything_a_synthetic_run_writes_says_so(run, next_commands):
    assert "SYNTHETIC" in next_commands["evaluate"]
    for name in ("config.json", "metrics.jsonl", "environment.json", "evaluation.json"):
        assert "SYNTHETIC" in (run / name).read_text(), name
    evaluation = read_record(run / "evaluation.json", Evaluation)
    assert evaluation is not None
    assert evaluation.noisy.mse > 0
    assert "Ankle boot" in next_commands["evaluate"]


def test_the_latent_scorecard_of_synthetic_data_has_no_published_rows(run, next_commands):
    assert "SYNTHETIC" in next_commands["score"]
    assert "autoencoder" not in next_commands["score"]
    scores = read_record(run / "latent_scorecard.json", Scorecard)
    assert scores is not None
    assert scores.about.data == "SYNTHETIC"
    assert None not in (*asdict(scores.ours).values(), *asdict(scores.pca).values())
    assert scores.pca.l_trust is not None
    assert 0.5 < scores.pca.l_trust < 1
    assert scores.ours.knn_5 is not None
    assert scores.ours.knn_5 > 0.2


def test_a_synthetic_run_is_exported_and_its_card_says_so(run):
    pytest.importorskip("safetensors")
    code, out, err = call("export", run, "--to", "safetensors")
    assert code == 0, err
    assert out.count(".safetensors") == 3
    assert "SYNTHETIC" in (run / "export" / "README.md").read_text()
    manifest = json.loads((run / "export" / "manifest.json").read_text())
    assert manifest["files"]["denoiser.safetensors"]["comparison"]["largest_difference"] < 1e-2
    code, _, err = call("export", run, "--to", "torch")
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.slow
def test_the_noise_curve_is_measured_and_drawn(run, monkeypatch):
    monkeypatch.setattr(noise_curve, "LEVELS", (0.0, 0.25))
    monkeypatch.setattr(noise_curve, "MATCHED", (0.25,))
    monkeypatch.setattr("jaxae.evaluation.baselines.TV_IMAGES", 5)
    code, _, err = call("plot noise-curve", run, "--images", "20", "--draws", "2")
    assert code == 0, err
    assert err.count("levels\n") == 2
    curve = read_record(run / "noise_curve.json", NoiseCurve)
    assert curve is not None
    assert curve.about.data == "SYNTHETIC"
    with Image.open(run / "figures" / "noise_curve.png") as image:
        assert min(image.size) > 400


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.usefixtures("next_commands")
def test_each_figure_is_drawn_and_has_the_same_pixels_in_a_notebook(run, name, tmp_path):
    path = run / "figures" / f"{name}.png"
    figure = getattr(plots, name)(jaxae.load(run), jaxae.load_dataset("synthetic"))
    files.save_figure(tmp_path, name, figure)
    assert (tmp_path / "figures" / path.name).read_bytes() == path.read_bytes()
    with Image.open(path) as image:
        assert min(image.size) > 400
        assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 20


@pytest.mark.usefixtures("next_commands")
def test_one_figure_alone_is_the_one_among_all(run):
    path = run / "figures" / "error_maps.png"
    before = path.read_bytes()
    path.unlink()
    code, _, err = call("plot error-maps", run)
    assert (code, err) == (0, f"Wrote {path}\n")
    assert path.read_bytes() == before


def test_every_script_is_its_command(monkeypatch):
    words: list[tuple[str, ...]] = []
    monkeypatch.setattr("jaxae.cli.main.main", lambda *given: words.append(given))
    for path in sorted((ROOT / "scripts").glob("*.py")):
        runpy.run_path(str(path), run_name="__main__")
        (command, *figure) = words.pop()
        assert path.stem == "_".join([command, *figure]).replace("-", "_")
        assert f"`jaxae {' '.join([command, *figure])}`" in (path.read_text().splitlines()[0])
        assert command in COMMANDS
        assert not figure or figure[0] in plot.main


def test_training_curves_are_drawn_from_the_rows_alone(run, tmp_path):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "metrics.jsonl").write_text(
        (run / "metrics.jsonl").read_text() + '{"epoch": 4, "tr'
    )
    code, _, err = call("plot training-curves", tmp_path / "unfinished")
    assert code == 0, err
    with Image.open(tmp_path / "unfinished" / "figures" / "training_curves.png") as image:
        assert min(image.size) > 400
    assert "no metrics.jsonl" in call("plot training-curves", tmp_path)[2]


def test_where_one_may_only_read_a_run_the_table_comes_before_the_error(run, monkeypatch):
    monkeypatch.setattr("jaxae.cli.score.score_latent", lambda *_, **__: ABOUT)
    monkeypatch.setattr("jaxae.cli.score.table", lambda _: "the scorecard")
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(run, Path(name) / "run-SYNTHETIC")
        Path(name).chmod(0o755)
        shutil.rmtree(copy / "figures", ignore_errors=True)
        before = sorted(copy.iterdir())
        copy.chmod(0o555)
        for command in ("report", "explore", "export"):  # Python may be out of reach for nobody
            importlib.import_module(f"jaxae.cli.{command}")
        with nobody():
            code, out, err = call("evaluate", copy)
            assert code == 2
            assert "| jaxae, noisy input" in out
            assert err.splitlines()[-1].startswith(f"error: {copy / 'evaluation.json'} can't be ")
            code, out, err = call("score", copy)
            assert (code, out) == (2, "the scorecard\n")
            assert "latent_scorecard.json can't be used (Permission denied)" in err
            for command in ("plot latent-space", "plot noise-curve", "report", "explore", "export"):
                code, out, err = call(command, copy)
                assert (code, out) == (2, "")
                assert f"error: {copy} can't be written to" in err
                assert "Wrote" not in err
        copy.chmod(0o755)
        assert sorted(copy.iterdir()) == before


def test_ctrl_c_resumes_to_the_same_bits(run, tmp_path):
    with start("train", *RECIPE, "--run-dir", tmp_path / "run") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch   1/3"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert "same command" in rest
    assert len(metrics(tmp_path / "run-SYNTHETIC")) < 3

    code, _, err = call("train", *RECIPE, "--run-dir", tmp_path / "run")
    assert code == 0, err
    assert "Resuming after epoch" in err
    assert metrics(tmp_path / "run-SYNTHETIC") == metrics(run)
    assert last_digests(tmp_path / "run-SYNTHETIC") == last_digests(run)


def last_digests(run_dir: Path) -> dict[str, str]:
    """SHA-256 of the parts of the last state. When others are saved, the clock decides."""
    path = run_dir / "states" / "3" / "manifest.json"
    return json.loads(path.read_text())["content"]["sha256"]


@pytest.mark.parametrize(
    ("main", "arguments", "expected"),
    [
        (
            train.main,
            ["--dataset", "fashion_mnist", "--data-dir", "{tmp}", "--run-dir", "{tmp}/x"],
            "--manual-dir",
        ),
        (evaluate.main, ["{tmp}"], "not a run directory"),
        (evaluate.main, ["{tmp}/nowhere"], "does not exist"),
        (evaluate.main, ["-x"], "error: run is missing, or follows what is no option: write ./-x"),
        (plot.main, ["latent-space", "{tmp}"], "not a run directory"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    main, arguments, expected, tmp_path, capsys, monkeypatch
):
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        urllib.request, "_opener", None
    )  # urllib keeps the first one, with the proxies of its moment
    assert in_process(main, *(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = (
        err.splitlines()[-1]
        if "SYNTHETIC" not in err
        else next(x for x in err.splitlines() if x.startswith("error"))
    )
    assert last.startswith("error: ")
    assert expected in last
    assert "Traceback" not in err


def test_a_users_mistake_is_one_line_of_a_process_too(tmp_path):
    with start("evaluate", tmp_path / "nowhere") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_population_is_trained_measured_and_drawn(tmp_path):
    code, out, err = call(
        "train",
        *RECIPE[:-4],
        "--epochs",
        "2",
        "--batch-size",
        "512",
        "--seeds",
        "2",
        "--run-dir",
        tmp_path / "two",
    )
    assert code == 0, err
    assert "  2 of 2  train " in err
    assert "| member | seed | validation loss |" in err
    run = Path(out.strip())
    assert sorted(path.name for path in (run / "members").iterdir()) == ["0", "1"]
    code, out, err = call("evaluate", run)
    assert code == 0, err
    assert "mean ± standard deviation over 2 members" in out
    assert "no checkpoint" not in err
    summary = read_record(run / "evaluation.json", Spread)
    assert summary is not None
    assert summary.members == 2
    assert call("plot seed-agreement", run)[0] == 0
    with Image.open(run / "figures" / "seed_agreement.png") as image:
        assert min(image.size) > 400
    for arguments, expected in (
        (("plot latent-space", run), "--member 0"),
        (("evaluate", run, "--member", 2), "members 0 to 1"),
        (("evaluate", run, "--figures"), "choose one of it with --member"),
    ):
        code, _, err = call(*arguments)
        assert code == 2
        assert expected in err

    shutil.rmtree(run / "members" / "1" / "states")
    code, out, err = call("evaluate", run)
    assert code == 0, err
    assert f"{run / 'members' / '1'} has no checkpoint" in err


@pytest.mark.usefixtures("next_commands")
def test_a_release_is_small_and_evaluates_to_the_same_numbers(run, tmp_path):
    small = tmp_path / "released"
    code, _, err = call("release", run, small)
    assert code == 0, err
    trained = {"config.json", "environment.json", "metrics.jsonl", "states"}
    assert {path.name for path in small.iterdir()} == trained
    assert call("evaluate", small)[0] == 0
    mine, released = (read_record(place / "evaluation.json", Evaluation) for place in (run, small))
    assert released == mine
    code, _, err = call("release", run, small)
    assert code == 2
    assert "File exists" in err


def test_a_damaged_best_is_named_and_another_epoch_is_taken_when_asked_for(run, tmp_path, capsys):
    mine, best = tmp_path / "run-SYNTHETIC", jaxae.load(run).epoch
    shutil.copytree(run, mine)
    (mine / "states" / str(best) / "manifest.json").write_text("{}")
    assert in_process(evaluate.main, str(mine)) == 2
    assert re.search(rf"states/{best}/.*can be loaded.*--epoch", capsys.readouterr().err)
    with pytest.raises(InputError, match=rf"states/{best}.*can be loaded"):
        release.main(mine, tmp_path / "released")

    other = max(set(epochs(mine)) - {best})
    assert in_process(evaluate.main, str(mine), "--epoch", str(other)) == 0
    assert f"Taking epoch {other} of {mine}" in capsys.readouterr().err
    evaluation = read_record(mine / "evaluation.json", Evaluation)
    assert evaluation is not None
    assert evaluation.about.checkpoint_epoch == other
    assert in_process(plot.reconstructions, str(mine), "--epoch", str(other)) == 0


def test_a_release_is_whole_or_not_there_and_a_strangers_folder_is_kept(run, tmp_path):
    (tmp_path / "released.tmp").mkdir()  # a person's, who chose that name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxae.runs.checkpoint.write_checkpoint", refuse)
        with pytest.raises(InputError, match="No space left"):
            release.main(run, tmp_path / "released")
    assert [path.name for path in tmp_path.iterdir()] == ["released.tmp"]

    release.main(run, tmp_path / "released")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["released", "released.tmp"]

    (tmp_path / "population.json").write_text('{"members": ["a", "b"]}')
    with pytest.raises(InputError, match=r"is a population: .*members/0"):
        release.main(tmp_path, tmp_path / "other")


def refuse(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc here")
@pytest.mark.parametrize("seconds", [0.0, 0.6])
def test_ctrl_c_during_the_start_shows_no_traceback(seconds, tmp_path):
    """While JAX is imported, or soon after: what Python does before that is not ours."""
    with start("train", *RECIPE, "--run-dir", tmp_path / "run") as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while "jaxlib" not in maps.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in err
