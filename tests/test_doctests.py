"""The examples in docstrings run, after the lines with which their page of the reference begins."""

import doctest
import importlib
import re
from functools import cache

import pytest

import jaxae
from tests import ROOT

CORE = sorted(path.stem for path in (ROOT / "jaxae" / "core").glob("[a-z]*.py"))
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


@cache
def first_lines(page: str) -> dict[str, object]:
    """Return the names that the first lines of Python on a page make."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert code
    names: dict[str, object] = {}
    exec(code[1], names)
    return names


def run_examples(value: object, name: str, names: dict[str, object]) -> int:
    """Run the examples of an object and of what it holds. Return how many there are."""
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in doctest.DocTestFinder().find(value, name, globs=dict(names)):
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)
    return runner.tries


@pytest.mark.parametrize("name", sorted({*jaxae.__all__} - {"__version__", "PRESETS", "Config"}))
def test_examples_of_the_public_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they may write
    value = getattr(jaxae, name)
    tries = run_examples(value, name, first_lines("api.md"))
    is_record = isinstance(value, type) and issubclass(value, Exception | tuple)
    assert tries or is_record, f"{name} shows no example"


@pytest.mark.parametrize("name", CORE)
def test_examples_of_the_pure_functions(name):
    module = importlib.import_module(f"jaxae.core.{name}")
    names = vars(module) | first_lines("core.md")
    assert run_examples(module, name, names), f"jaxae.core.{name} shows no example"


def test_the_reference_has_every_public_name():
    api = (ROOT / "docs" / "api.md").read_text()
    for name in {*jaxae.__all__} - {"__version__", "plots"}:
        assert re.search(
            rf"auto\w+:: jaxae\.(\w+\.)*{name}(\(.*\))?$|members:.*\b{name}\b", api, re.M
        ), name


def test_the_gallery_has_every_figure_of_the_released_run():
    gallery = (ROOT / "docs" / "gallery.md").read_text()
    for path in (ROOT / "docs" / "released" / "figures").glob("*.png"):
        assert f"jaxae plot {path.stem.replace('_', '-')} checkpoints/released" in gallery
        assert f"](released/figures/{path.name})" in gallery
