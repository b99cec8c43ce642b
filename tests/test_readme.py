"""README and docs are true: their Python runs, their tables are the released run's files."""

import ast
import contextlib
import importlib
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from jaxae.cli import plot
from jaxae.cli.main import COMMANDS
from jaxae.config import Config
from jaxae.evaluation import baselines, reconstruction
from jaxae.evaluation.latent_scorecard import RELEASED_LOSS
from jaxae.evaluation.records import Evaluation, NoiseCurve, read_record
from jaxae.inference import encode, load
from jaxae.runs.manifest import tree_digest
from tests import ROOT
from tests.cli.test_command import call

README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
RELEASED = ROOT / "checkpoints" / "released"
RESULTS = ROOT / "docs" / "released"
"""What was measured and drawn of the released run for the docs."""


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row of a Markdown text."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def anchors(page: Path) -> set[str]:
    """Return the fragments that a link into a Markdown page can name, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {each.replace(" ", "-") for each in words}


def test_the_python_examples_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # they need no checkout
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(code, names)
    assert names["denoised"].shape == (5, 28, 28)
    assert names["latents"].shape == (5, 2)
    assert names["state"].step == 10


def test_readme_is_two_screens():
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_fill_in(page):
    for leftover in ("@@", "± nan", "TODO", "TABLE", "TIMES"):
        assert leftover not in PAGES[page].read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_table_is_the_released_runs_evaluation(page):
    stated = rows(PAGES[page].read_text())
    evaluation = read_record(RESULTS / "evaluation.json", Evaluation)
    assert evaluation is not None
    for name, quality in evaluation.rows().items():
        assert [reconstruction.LABELS[name], *reconstruction.cells(quality)] in stated


def test_the_tables_of_docs_are_the_released_runs_files():
    stated = rows(PAGES["docs/results.md"].read_text())
    evaluation = read_record(RESULTS / "evaluation.json", Evaluation)
    assert evaluation is not None
    for name, each in evaluation.classes.items():
        mse, _, psnr, *_ = reconstruction.cells(each.quality)
        cells = [mse, psnr, f"{each.quality.ssim_mean:.3f}", f"{100 * each.recall:.1f} %"]
        assert [name, *cells] in stated

    curve = read_record(RESULTS / "noise_curve.json", NoiseCurve)
    assert curve is not None
    at = curve.levels.index(0.25)
    methods = {"jaxae": curve.ours}
    methods |= {baselines.LABELS[name]: rival for name, rival in curve.rivals.items()}
    for name, method in methods.items():
        psnr = np.mean(np.array(method.psnr[at], float))
        cells = [f"{np.mean(method.mse[at]):.5f}", f"{psnr:.2f} dB"]
        assert [name, *cells, f"{np.mean(method.ssim[at]):.3f}"] in stated


def test_the_released_runs_loss_is_the_one_that_training_prints():
    lines = (RELEASED / "metrics.jsonl").read_text().splitlines()
    best = min(json.loads(line)["validation_loss"] for line in lines)
    assert round(best, 5) == RELEASED_LOSS["fashion_mnist"]


def test_the_released_run_has_the_recipe_that_the_pages_name():
    command = "jaxae train --seed 3 --matmul-dtype float32 --plateau-patience 7 --min-scale 0.04"
    assert f"`{command}`" in (ROOT / "docs" / "results.md").read_text()
    assert load(RELEASED).config == Config(
        dataset="fashion_mnist",
        seed=3,
        matmul_dtype="float32",
        plateau_patience=7,
        min_scale=0.04,
    )


@pytest.mark.parametrize("name", [*PAGES, "CHANGELOG.md", "benchmarks/NOTES.md"])
def test_links_of_a_page_lead_somewhere(name):
    page = ROOT / name
    for path, fragment in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        if fragment:
            assert fragment in anchors(target), f"{path}#{fragment}"


@pytest.mark.parametrize("page", PAGES)
def test_files_and_commands_that_a_page_names_exist(page):
    text = PAGES[page].read_text()
    for path in re.findall(r"\b(?:scripts|benchmarks|tests|jaxae)/[\w/]+\.py", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module), module
    for name in re.findall(r"`jaxae ([a-z-]+)|^jaxae ([a-z-]+)", text, re.MULTILINE):
        assert "".join(name) in COMMANDS, name
    for name in re.findall(r"jaxae plot ([a-z][a-z-]+) ", text):
        assert name in plot.main, name


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Return every option of a command, as --help shows it, and of the benchmarks."""
    found = {"help"}
    commands = [
        ["plot", "noise-curve"],
        ["plot", "error-maps"],
        *([name] for name in COMMANDS if name != "plot"),
    ]
    for command, *figure in commands:
        module = importlib.import_module(f"jaxae.cli.{command.replace('-', '_')}")
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            assert call(module.main, *figure, "--help") in (0, None)
        found |= set(re.findall(r"--([a-z][a-z0-9-]+)", shown.getvalue()))
    for path in (ROOT / "benchmarks").rglob("*.py"):
        found |= parameters(path)
    return found


def parameters(path: Path) -> set[str]:
    """Return the options of a program: the parameters of its main, by their given names."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            for each in [*node.args.args, *node.args.kwonlyargs]:
                named = re.search(r"arg\(name='(\w+)'\)", ast.unparse(each))
                found.add(named[1] if named else each.arg.replace("_", "-"))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_options_that_a_page_names_exist(page, options):
    for option in re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", PAGES[page].read_text()):
        assert option in options, option


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_a_page_names_exist(page):
    """`pytest PATH -k WORDS` selects something."""
    for path, words in re.findall(
        r"pytest ([\w/.]+(?: [\w/.]+\.py)*)(?: -k \"?([\w ]+)\"?)?", PAGES[page].read_text()
    ):
        files: list[Path] = []
        for each in path.split():
            files += [ROOT / each] if each.endswith(".py") else (ROOT / each).rglob("*.py")
        assert files
        names = re.findall(r"def (test_\w+)", "".join(file.read_text() for file in files))
        for word in set(words.split()) - {"or", "and", "not"}:
            assert any(word in name for name in names), f"{path} -k {words}"


def test_the_golden_checkpoint_loads_for_ever():
    """The released run is read as these bits; its latents are those that NumPy computes."""
    run = load(RELEASED)
    assert (
        tree_digest(run.variables)
        == "3d161b40925064b1240741b15ce5bc387724fad3fd09054ec366a6d4a9834dc4"
    )
    images = np.random.default_rng(0).random((20, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(encode(run, images), numpy_latents(run.variables, images), atol=1e-4)


def numpy_latents(variables, images: np.ndarray) -> np.ndarray:
    """Return the latents in float64: Dense, BatchNorm and ReLU eight times, then Dense."""
    x = images.reshape(len(images), 784).astype(np.float64)
    params, stats = variables["params"]["encoder"], variables["batch_stats"]["encoder"]
    for i in range(8):
        norm, running = params[f"batch_norm_{i}"], stats[f"batch_norm_{i}"]
        x = x @ np.asarray(params[f"dense_{i}"]["kernel"], np.float64)
        x = (x - running["mean"]) / np.sqrt(np.asarray(running["var"]) + 1e-5)
        x = np.maximum(x * norm["scale"] + norm["bias"], 0)
    return x @ np.asarray(params["dense_8"]["kernel"]) + np.asarray(params["dense_8"]["bias"])
