"""The README's claims: its Python runs, its table is the released run's, its files and options exist."""

import json
import re

import numpy as np

from jaxae.config import Config
from jaxae.digests import tree_digest
from jaxae.inference import encode, load_run
from tests import ROOT

README = (ROOT / "README.md").read_text()
RELEASED = ROOT / "checkpoints" / "released"


def test_the_python_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["denoised"].shape == (5, 28, 28)
    assert names["latents"].shape == (5, 2)


def test_nothing_is_left_to_fill_in():
    assert "@@" not in README
    assert "± nan" not in README


def test_the_table_is_the_released_runs_evaluation():
    rows = json.loads((RELEASED / "evaluation.json").read_text())["rows"]
    for name, row in rows.items():
        cells = [
            f"{row['mse']:.5f}",
            f"{row['mae']:.5f}",
            f"{row['psnr_of_mean_mse_db']:.2f} dB",
            f"{row['mean_of_image_psnr_db']:.2f} dB",
            f"{row['ssim_mean']:.3f} ± {row['ssim_std']:.3f}",
        ]
        assert f"| {name} | {' | '.join(cells)} |" in README


def test_the_released_run_was_trained_with_the_defaults():
    assert load_run(RELEASED).config == Config(dataset="fashion_mnist")


def test_files_and_options_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([a-zA-Z][^)#:]*)\)", README) + re.findall(r"scripts/\w+\.py", README):
        assert (ROOT / path).exists(), path
    sources = [ROOT / "scripts" / "train.py", ROOT / "jaxae" / "cli" / "options.py", *(ROOT / "benchmarks").glob("*.py")]
    arguments = re.findall(r"\b(\w+): ", "".join(path.read_text() for path in sources))
    known = set(vars(Config())) | {"help", "noise_factor"} | set(arguments)
    for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", README):
        assert option.replace("-", "_") in known, option


def test_the_golden_checkpoint_loads_for_ever():
    """The released run as every later version must read it: these bits, and the latents that NumPy finds from them."""
    run = load_run(RELEASED)
    assert tree_digest(run.variables) == "9f5da1f70be81d7ff4d811dd7d03dda17f041f5245ccbdf1b4133266bc28924c"
    images = np.random.default_rng(0).random((20, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(encode(run, images), numpy_latents(run.variables, images), atol=1e-4)


def numpy_latents(variables, images: np.ndarray) -> np.ndarray:
    """Dense → BatchNorm with running statistics → ReLU eight times, then Dense; in float64."""
    x = images.reshape(len(images), 784).astype(np.float64)
    params, stats = variables["params"]["encoder"], variables["batch_stats"]["encoder"]
    for i in range(8):
        norm, running = params[f"Layer_{i}"]["BatchNorm_0"], stats[f"Layer_{i}"]["BatchNorm_0"]
        x = x @ np.asarray(params[f"Layer_{i}"]["Dense_0"]["kernel"], np.float64)
        x = (x - running["mean"]) / np.sqrt(np.asarray(running["var"]) + 1e-5) * norm["scale"] + norm["bias"]
        x = np.maximum(x, 0)
    return x @ np.asarray(params["Dense_0"]["kernel"]) + np.asarray(params["Dense_0"]["bias"])
