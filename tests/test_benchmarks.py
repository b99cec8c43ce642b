"""Tables of the benchmarks that train several seeds, what the racers train, and the mutants."""

import ast
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality import compare, search
from benchmarks.robustness import mutation
from benchmarks.robustness.mutants import all_mutants as mutants_of_jaxae
from benchmarks.robustness.mutants import mutants_of
from benchmarks.speed import racers, speed_worker
from jaxae.config import PRESETS, Config
from jaxae.errors import InputError
from jaxae.inference import load
from jaxae.runs import metrics_log
from tests import ROOT

CONFIG = Config(dataset="synthetic", epochs=2, batch_size=64, learning_rate=3e-3, widths=(64, 16))


@pytest.fixture(autouse=True)
def small(monkeypatch, dataset):
    for benchmark in (compare, search):
        monkeypatch.setattr(benchmark, "load_dataset", lambda name, report: dataset)
        monkeypatch.setattr(
            benchmark, "PRESETS", {"default": CONFIG, "map": replace(CONFIG, neighbor_weight=0.1)}
        )


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.slow
def test_compare_averages_the_runs_and_measures_no_run_twice(tmp_path, capsys):
    compare.main(
        presets=("default", "map"), seeds=2, place=tmp_path, figure=tmp_path / "figure.png"
    )
    lines = capsys.readouterr().out.splitlines()
    assert [cells(line)[0] for line in lines[2:]] == [
        f"{preset}{end}" for preset in ("default", "map") for end in ("", ", seed 0", ", seed 1")
    ]
    for mean, *seeds in (lines[2:5], lines[5:8]):
        values = np.array([[float(cell) for cell in cells(line)[1:]] for line in seeds])
        stated = np.array([[float(part) for part in cell.split(" ± ")] for cell in cells(mean)[1:]])
        np.testing.assert_allclose(stated[:, 0], values.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(stated[:, 1], values.std(axis=0, ddof=1), atol=1e-3)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    measured = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*[nd].json")}
    compare.main(presets=("default", "map"), seeds=2, place=tmp_path)
    assert capsys.readouterr().out.splitlines() == lines
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*[nd].json")} == measured


@pytest.mark.slow
def test_search_sorts_the_tries_and_takes_each_runs_best_loss(tmp_path, capsys):
    tries = ("as it is", "learning_rate 1e-3")
    search.main(epochs=2, seeds=2, only=tries, place=tmp_path)
    rows = [cells(line) for line in capsys.readouterr().out.splitlines()[2:]]
    assert {row[0] for row in rows} == set(tries)
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    for name, stated, *_ in rows:
        runs = sorted(tmp_path.glob(f"default-2-{name.replace(' ', '-')}/*"))
        rows_of_runs = [metrics_log.read(run) for run in runs]
        losses = [min(row["validation_loss"] for row in each) for each in rows_of_runs]
        assert stated == f"{np.mean(losses):.5f} ± {np.std(losses, ddof=1):.5f}"
        assert [load(run).config.seed for run in runs] == [0, 1]


@pytest.mark.parametrize(
    ("benchmark", "words", "message"),
    [
        (compare, {"presets": ("best",)}, "best is not a preset: there are default, map"),
        (search, {"preset": "best"}, "best is not a preset: there are default, map"),
        (search, {"only": ("best",)}, "best is not a try: there are as it is, learning_rate"),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(benchmark, words, message):
    with pytest.raises(InputError, match=message):
        benchmark.main(**words)


def test_every_try_of_the_search_is_a_recipe_that_differs_from_the_default():
    for name, changes in search.TRIES.items():
        assert bool(replace(PRESETS["default"], **changes).differences(Config())) == (
            name != "as it is"
        )


@pytest.mark.parametrize("racer", racers.RACERS)
def test_every_racer_runs_the_whole_default_recipe(racer):
    assert speed_worker.recipe(racer) == (
        Config(matmul_dtype="bfloat16" if "bfloat16" in racer else "float32")
    )


def test_mutants_are_of_every_module_and_the_near_tests_are_there():
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "jaxae").rglob("*.py")
        if not path.stem.startswith("__")
    }
    mutants = mutants_of_jaxae()
    plain = modules - {mutant.file for mutant in mutants}
    assert not [mutant for file in plain for mutant in mutants_of(ROOT / file)]
    assert len(plain) < 4
    for mutant in mutants[::200]:
        raw = (ROOT / mutant.file).read_bytes()
        assert raw[mutant.start : mutant.end].decode() == mutant.before
        ast.parse(raw[: mutant.start] + mutant.after.encode() + raw[mutant.end :])

    for names in mutation.NEAR.values():
        assert all((ROOT / "tests" / f"{name}.py").is_file() for name in names), names
    for file in modules:
        near, others = mutation.tests_of(ROOT, file)
        assert near, file
        assert not set(near) & set(others)
    near, _ = mutation.tests_of(ROOT, "jaxae/core/objective.py")
    assert "tests/test_torch.py" in near
    assert "tests/core/test_objective.py" in near
    assert "tests/runs/test_files.py" not in near
