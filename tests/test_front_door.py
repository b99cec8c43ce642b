"""What people meet first: import jaxae, the jaxae command, the wheel."""

import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import jaxae
from jaxae.cli.main import COMMANDS
from tests import ROOT
from tests.cli.test_command import call

SLOW_PACKAGES = {
    "jax",
    "flax",
    "optax",
    "orbax",
    "matplotlib",
    "numpy",
    "scipy",
    "tyro",
    "pydantic",
}
RELEASED = ROOT / "checkpoints" / "released"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "jaxae", *arguments]
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=100)


def test_a_notebooks_backend_of_figures_does_not_stop_a_command(tmp_path):
    """Colab sets module://matplotlib_inline.backend_inline, which a virtual environment lacks."""
    done = subprocess.run(
        [sys.executable, "-m", "jaxae", "plot", "latent-space", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"MPLBACKEND": "not-installed"},
        timeout=100,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "nowhere does not exist" in done.stderr


def test_import_is_light_and_names_come_on_first_use():
    loaded = python("import jaxae, sys; print(*sys.modules)").split()
    assert not SLOW_PACKAGES & set(loaded)
    assert (
        python("import jaxae; print(jaxae.Config().epochs, jaxae.InputError.__name__)")
        == "300 InputError\n"
    )


def test_public_names_are_there_and_explained():
    assert set(jaxae.__all__) == set(dir(jaxae))
    for name in jaxae.__all__:
        value = getattr(jaxae, name)
        if callable(value) and name not in ("InputError", "Diverged", "Epoch", "Config"):
            assert ">>>" in value.__doc__, f"{name} shows no example"
            assert "InputError" in value.__doc__ or name == "load_dataset", f"{name} names no error"
    assert jaxae.__version__ == importlib.metadata.version("jaxae")
    assert not hasattr(jaxae, "nonsense")
    assert (ROOT / "jaxae" / "py.typed").is_file()


def test_the_version_is_the_changelogs_newest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert project["version"] == newest[1]


def test_fit_just_works(dataset, tmp_path, monkeypatch):
    """As a newcomer calls it: the default data, a relative path as text; a Run comes back, and the
    same from the disk.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxae.train.loop.load_dataset", lambda name, report, **rules: dataset)
    recipe = jaxae.Config(epochs=1, batch_size=64, learning_rate=3e-3, widths=(64, 16))
    told: list[object] = []
    run = jaxae.fit(recipe, run_dir="x", report=told.append)
    assert run.config.dataset == "synthetic"
    epochs = [each for each in told if isinstance(each, jaxae.Epoch)]
    assert [epoch.rows[0].epoch for epoch in epochs] == [1]
    assert str(epochs[0]).startswith("epoch   1/1")
    images = dataset.test.images[:5, ..., 0]
    assert jaxae.reconstruct(run, images).shape == (5, 28, 28)
    np.testing.assert_array_equal(
        jaxae.reconstruct(run, images), jaxae.reconstruct(jaxae.load("x-SYNTHETIC"), images)
    )
    in_memory = jaxae.fit(recipe, report=told.append)
    np.testing.assert_array_equal(jaxae.encode(run, images), jaxae.encode(in_memory, images))
    assert [path.name for path in tmp_path.iterdir()] == ["x-SYNTHETIC"]


def test_evaluation_needs_no_fcntl():
    """Windows has none. The module is hidden, and all that evaluates and draws is imported."""
    code = "import sys; sys.modules['fcntl'] = None\nimport jaxae\n"
    code += "for name in jaxae.__all__: getattr(jaxae, name)"
    python(
        code
        + "\nimport jaxae.cli.evaluate, jaxae.cli.plot"
        + "\nassert jaxae.load('released').epoch > 0"
    )


def test_the_command_names_its_commands_and_refuses_others():
    shown = command("--help")
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in COMMANDS)
    assert command().stdout == shown.stdout
    assert command("--version").stdout.strip() == jaxae.__version__
    wrong = command("trian")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: unknown command trian")
    assert wrong.stderr.count("\n") == 1


def help_of(name: str, capsys) -> str:
    """Return what `jaxae NAME --help` prints on a terminal of 100 columns."""
    command, *figure = name.split()
    module = importlib.import_module(f"jaxae.cli.{command.replace('-', '_')}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")  # a wide one shows groups next to each other
        assert call(module.main, *figure, "--help") in (0, None)
    return capsys.readouterr().out


@pytest.mark.parametrize("name", [*COMMANDS, "plot noise-curve"])
def test_every_command_explains_itself_in_words(name, capsys):
    shown = help_of(name, capsys)
    for machine_talk in ("{None}", "InputError", "tyro", "Positional", "dataclass", "config."):
        assert machine_talk not in shown
    if name != "plot noise-curve":
        assert f"Example: jaxae {name}" in shown


def test_the_options_people_use_stand_first_in_their_group(capsys):
    shown = help_of("train", capsys)
    groups = re.split(r"([a-z][a-z-]+[a-z]) options\b", shown)
    found = {}
    for name, text in zip(groups[1::2], groups[2::2], strict=True):
        found[name] = re.findall(r"--[a-z][\w-]+", text)
    assert found["data"][0] == "--dataset"
    assert found["network-and-noise"][0] == "--noise-factor"
    assert found["optimiser"][0] == "--learning-rate"
    assert found["plateau-and-end"][0] == "--epochs"
    assert "--no-quiet" not in shown
    for name, value in vars(jaxae.Config()).items():
        option = f"--{'no-' if value is True else ''}{name.replace('_', '-')}"
        assert (option in shown) == (name != "image_shape"), name


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_works_without_the_checkout(tmp_path):
    """Built, installed in an empty environment, and every module imported; dependencies are
    borrowed from this one.
    """
    pytest.importorskip(
        "setuptools", minversion="77", reason="pip install -e '.[test]' brings setuptools"
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    source = tmp_path / "source"  # building leaves files beside what it builds
    shutil.copytree(ROOT / "jaxae", source / "jaxae", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run([*pip, *build], check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 6e6
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "jaxae").rglob("*.py")
    )
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("jaxae/")}
    parts = {
        f"jaxae/export/explorer/{path.name}"
        for path in (ROOT / "jaxae" / "export" / "explorer").iterdir()
    }
    parts |= {"jaxae/report/style.css", "jaxae/report/template.html"}
    states = RELEASED / "states"
    trained = [path for path in states.rglob("*") if path.is_file()]
    trained += [RELEASED / name for name in ("config.json", "environment.json", "metrics.jsonl")]
    parts |= {f"jaxae/released/{path.relative_to(RELEASED).as_posix()}" for path in trained}
    assert held == {"jaxae/py.typed", *parts, *(f"{name.replace('.', '/')}.py" for name in modules)}
    venv.create(tmp_path / "empty", with_pip=False)
    inside = tmp_path / "empty" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(inside), "install", "--no-deps", str(wheel)], check=True, timeout=200
    )
    borrowed = str(Path(np.__file__).parents[1])
    names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    code = f"import importlib, jaxae\nassert {str(tmp_path)!r} in jaxae.__file__\n"
    code += f"for name in {names}: importlib.import_module(name)\n"
    code += "run = jaxae.load('released')\n"
    code += "assert jaxae.decode(run, [[0.0, 1.5]]).shape == (1, 28, 28, 1)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "PYTHONPATH": borrowed
    }
    done = subprocess.run(
        [inside, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [tmp_path / "empty" / "bin" / "jaxae", "--version"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == jaxae.__version__
