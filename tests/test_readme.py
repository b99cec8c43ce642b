"""What README and docs claim: the Python runs, tables are the released run's, files, commands and options exist."""

import contextlib
import importlib
import io
import json
import re

import numpy as np
import pytest

from jaxae.cli import plot
from jaxae.cli.main import COMMANDS
from jaxae.config import Config
from jaxae.evaluation.latent_scorecard import RELEASED_LOSS
from jaxae.inference import encode, load
from jaxae.runs.manifest import tree_digest
from tests import ROOT
from tests.cli.test_command import call

README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
RELEASED = ROOT / "checkpoints" / "released"
TOOLS = {"help", "host", "hypothesis-profile", "json", "kill", "k"}
"""Options of other programs than ours, and of benchmarks under another name than their parameter's."""


def rows(text: str) -> list[list[str]]:
    """The cells of every table row of a Markdown text."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_the_python_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["denoised"].shape == (5, 28, 28)
    assert names["latents"].shape == (5, 2)


def test_readme_is_two_screens():
    assert len(README.encode()) <= 11_000
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_fill_in(page):
    for leftover in ("@@", "± nan", "TODO", "TABLE", "TIMES"):
        assert leftover not in PAGES[page].read_text()


def test_the_table_is_the_released_runs_evaluation():
    stated = rows(README)
    for name, row in json.loads((RELEASED / "evaluation.json").read_text())["rows"].items():
        cells = [f"{row['mse']:.5f}", f"{row['mae']:.5f}", f"{row['psnr_of_mean_mse_db']:.2f} dB"]
        cells += [
            f"{row['mean_of_image_psnr_db']:.2f} dB",
            f"{row['ssim_mean']:.3f} ± {row['ssim_std']:.3f}",
        ]
        assert [name, *cells] in stated


def test_the_tables_of_docs_are_the_released_runs_files():
    stated = rows(PAGES["docs/results.md"].read_text())
    for name, row in json.loads((RELEASED / "evaluation.json").read_text())["classes"].items():
        cells = [
            f"{row['mse']:.5f}",
            f"{row['psnr_of_mean_mse_db']:.2f} dB",
            f"{row['ssim_mean']:.3f}",
        ]
        assert [name, *cells, f"{100 * row['recall_5nn']:.1f} %"] in stated
    curve = json.loads((RELEASED / "noise_curve.json").read_text())
    at = curve["levels"].index(0.25)
    for name, row in curve["rows"].items():
        mse, psnr, ssim = (np.mean(row[metric][at]) for metric in ("mse", "psnr_db", "ssim"))
        assert [name, f"{mse:.5f}", f"{psnr:.2f} dB", f"{ssim:.3f}"] in stated


def test_the_released_runs_loss_is_the_one_that_training_prints():
    lines = (RELEASED / "metrics.jsonl").read_text().splitlines()
    assert (
        round(min(json.loads(line)["validation_loss"] for line in lines), 5)
        == RELEASED_LOSS["fashion_mnist"]
    )


def test_the_released_run_was_trained_with_the_defaults():
    assert load(RELEASED).config == Config(dataset="fashion_mnist")


@pytest.mark.parametrize("page", PAGES)
def test_files_and_commands_that_a_page_names_exist(page):
    text, folder = PAGES[page].read_text(), PAGES[page].parent
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (folder / path).exists(), path
    for path in re.findall(r"\b(?:scripts|benchmarks|tests|jaxae)/[\w/]+\.py", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`jaxae ([a-z-]+)|^jaxae ([a-z-]+)", text, re.MULTILINE):
        assert "".join(name) in COMMANDS, name
    for name in re.findall(r"jaxae plot ([a-z][a-z-]+) ", text):
        assert name in plot.main, name


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every option of a command, and of the benchmarks, as --help shows them or a signature names them."""
    found = set(TOOLS)
    commands = [
        ["plot", "noise-curve"],
        ["plot", "error-maps"],
        *([name] for name in COMMANDS if name != "plot"),
    ]
    for command, *figure in commands:
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            assert call(
                importlib.import_module(f"jaxae.cli.{command.replace('-', '_')}").main,
                *figure,
                "--help",
            ) in (0, None)
        found |= set(re.findall(r"--([a-z][a-z-]+)", shown.getvalue()))
    for path in (ROOT / "benchmarks").rglob("*.py"):
        found |= {name.replace("_", "-") for name in re.findall(r"\b(\w+): ", path.read_text())}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_options_that_a_page_names_exist(page, options):
    for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", PAGES[page].read_text()):
        assert option in options, option


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_a_page_names_exist(page):
    """`pytest PATH -k WORDS` selects something."""
    for path, words in re.findall(
        r"pytest ([\w/.]+(?: [\w/.]+\.py)*)(?: -k \"?([\w ]+)\"?)?", PAGES[page].read_text()
    ):
        files = [
            file
            for each in path.split()
            for file in ([ROOT / each] if each.endswith(".py") else (ROOT / each).rglob("*.py"))
        ]
        names = re.findall(r"def (test_\w+)", "".join(file.read_text() for file in files))
        wanted = [word for word in words.split() if word not in ("or", "and", "not")]
        assert files
        assert all(any(word in name for name in names) for word in wanted), f"{path} -k {words}"


def test_the_golden_checkpoint_loads_for_ever():
    """The released run as every later version must read it: these bits, and the latents that NumPy finds from them."""
    run = load(RELEASED)
    assert (
        tree_digest(run.variables)
        == "517b7f4f0f93327c857fc0ce38cb47d6466a4e4b57a8b60b2d779acde07486b7"
    )
    images = np.random.default_rng(0).random((20, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(encode(run, images), numpy_latents(run.variables, images), atol=1e-4)


def numpy_latents(variables, images: np.ndarray) -> np.ndarray:
    """Dense → BatchNorm with running statistics → ReLU eight times, then Dense; in float64."""
    x = images.reshape(len(images), 784).astype(np.float64)
    params, stats = variables["params"]["encoder"], variables["batch_stats"]["encoder"]
    for i in range(8):
        norm, running = params[f"Layer_{i}"]["BatchNorm_0"], stats[f"Layer_{i}"]["BatchNorm_0"]
        x = x @ np.asarray(params[f"Layer_{i}"]["Dense_0"]["kernel"], np.float64)
        x = (x - running["mean"]) / np.sqrt(np.asarray(running["var"]) + 1e-5) * norm[
            "scale"
        ] + norm["bias"]
        x = np.maximum(x, 0)
    return x @ np.asarray(params["Dense_0"]["kernel"]) + np.asarray(params["Dense_0"]["bias"])
