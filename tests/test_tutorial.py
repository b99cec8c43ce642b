"""The tutorials run, and docs/tutorial.ipynb is what `make notebook` makes of docs/tutorial.py."""

import importlib
import json
import re
import runpy

import jax
import pytest

import jaxae
from tests import ROOT
from tests.cli.test_command import call

TUTORIAL = ROOT / "docs" / "tutorial.py"
Config = jaxae.Config


@pytest.mark.slow
def test_the_tutorial_runs_on_synthetic_data_and_its_claims_hold(monkeypatch, capsys):
    synthetic = jaxae.load_dataset("synthetic")
    short = {"epochs": 2, "statistics_images": 100, "widths": (64, 16)}
    monkeypatch.setattr(jaxae, "load_dataset", lambda report: synthetic)
    monkeypatch.setattr(jaxae, "Config", lambda **options: Config(**{**options, **short}))

    names = runpy.run_path(str(TUTORIAL))

    shown = capsys.readouterr().out
    assert shown.count("the same state and batch give the same loss: True") == 1
    assert shown.count("the same bits: True") == 1
    assert shown.count("\nepoch ") == 2
    assert names["values"][-1] < names["values"][0]
    assert all(x.dtype != object for x in jax.tree.leaves(names["run"].variables))


def test_the_notebook_has_the_tutorials_cells_and_pictures_and_no_path_of_a_machine():
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text())
    cells = re.split(r"^# %%.*\n", TUTORIAL.read_text(), flags=re.MULTILINE)[1:]
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert sources == [uncommented(cell).strip() for cell in cells]

    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", ()) for output in outputs) == 2

    printed = "".join("".join(output.get("text", ())) for output in outputs)
    assert "the same bits: True" in printed
    assert "Fashion-MNIST (55000, 28, 28, 1)" in printed
    assert not re.search(r"/(home|root|work|tmp)/", printed)


@pytest.mark.slow
def test_the_second_tutorial_leads_from_a_folder_to_new_pictures_on_the_map(monkeypatch, tmp_path):
    page = (ROOT / "docs" / "pictures.md").read_text()
    folder, *steps = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(folder, names)

    quick = ["--epochs", "2", "--widths", "16", "4"]
    for command in re.findall(r"^jaxae (.*?)(?: +[#>].*)?$", page, re.MULTILINE):
        name, *words = command.split()
        module = importlib.import_module(f"jaxae.cli.{name}")
        main = module.main[words.pop(0)] if name == "plot" else module.main
        assert call(main, *words, *(quick if name == "train" else ())) in (0, None)
    for code in steps:
        exec(code, names)

    run = tmp_path / "checkpoints" / "digits"
    for written in ("figures/latent_space.png", "explorer.html", "map.csv"):
        assert (run / written).exists()
    assert names["drawn"].shape == (179, 8, 8, 1)
    assert len(list((tmp_path / "denoised").rglob("*.png"))) == 179


def uncommented(cell: str) -> str:
    """Return a Markdown cell without its comment signs, and a code cell as it is."""
    lines = cell.strip().splitlines()
    if all(line.startswith("#") for line in lines):
        return "\n".join(line[2:] for line in lines)
    return cell
