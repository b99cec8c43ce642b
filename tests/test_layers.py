"""The shape of the house: imports point down, keys are derived in one place, wings and rooms stay
small.
"""

import ast
import functools
from pathlib import Path

import pytest

from jaxae.cli.main import COMMANDS
from tests import ROOT

PACKAGE = ROOT / "jaxae"
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "figures"),
    ("core", "config", "digests", "pictures", "switches", "temporary"),
    ("data", "runs", "build"),
    ("inference",),
    ("train", "evaluation"),
    ("estimator", "export", "report"),
    ("cli",),
    ("__main__",),
)
"""Wings and loose modules from the ground up: each imports from itself and from lower floors alone.
"""
WINGS = {
    "core",
    "data",
    "runs",
    "train",
    "evaluation",
    "figures",
    "estimator",
    "export",
    "report",
    "cli",
}
LEVEL = {wing: level for level, floor in enumerate(FLOORS) for wing in floor}
POSITIONAL = {
    "jaxae.estimator.autoencoder.fit",  # scikit-learn's signatures
    "jaxae.estimator.autoencoder.score",
    "jaxae.data.load.load_dataset",  # the front door's
    "jaxae.train.loop.fit",
}
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name(path: Path) -> str:
    """jaxae.core.step of jaxae/core/step.py; jaxae.core of jaxae/core/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name(path) for path in MODULES}


def wing(module: str) -> str:
    """core of jaxae.core.step; build of jaxae.build; nothing of jaxae itself."""
    return module.partition(".")[2].partition(".")[0]


@functools.cache
def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever the import stands, and of what it
    takes from them.
    """
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports name the whole path"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_wing_has_its_place():
    there = {wing(each) for each in NAMES} - {""}
    assert there == set(LEVEL)
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == WINGS


@pytest.mark.parametrize("path", [path for path in MODULES if wing(name(path))], ids=name)
def test_imports_point_down(path):
    mine = wing(name(path))
    for other in imported(path):
        if other.split(".")[0] == "jaxae" and wing(other) != mine:
            assert LEVEL[wing(other)] < LEVEL[mine], f"{name(path)} imports {other}"


def test_no_circle():
    """Within a wing too: every module can be placed after all that it imports."""
    needs = {
        name(path): {
            other
            for other in NAMES
            for each in imported(path)
            if f"{each}.".startswith(f"{other}.")
        }
        for path in MODULES
    }
    needs = {
        module: {each for each in others if each not in ("jaxae", f"jaxae.{wing(each)}")}
        for module, others in needs.items()
    }
    while ready := [module for module, others in needs.items() if not others & set(needs)]:
        for module in ready:
            del needs[module]
    assert not needs


def test_one_importer_of_orbax():
    assert [
        path.stem for path in MODULES if any(each.startswith("orbax") for each in imported(path))
    ] == ["arrays"]


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if wing(name(path)) in ("config", "errors", "figures")],
    ids=name,
)
def test_no_jax_where_none_is_needed(path):
    assert not any(
        f"{each}.".startswith(("jax.", "jaxlib.", "flax.", "optax.")) for each in imported(path)
    )


def test_keys_are_derived_in_rng_alone():
    deriving = (
        "random.key(",
        "random.PRNGKey(",
        "random.split(",
        "random.fold_in(",
        "wrap_key_data(",
        "np.random",
    )
    for path in MODULES + SCRIPTS:
        if name(path) not in (
            "jaxae.core.rng",
            "jaxae.figures.latent_space",
        ):  # which shuffles the order of drawing
            assert not [call for call in deriving if call in path.read_text()], path


def test_what_compiles_is_few_and_not_the_maths():
    compiling = {name(path) for path in MODULES if "jax.jit" in path.read_text()}
    training = {"jaxae.train.epoch", "jaxae.train.feed", "jaxae.train.sharding"}
    assert compiling == {"jaxae.build", "jaxae.inference", "jaxae.export.stablehlo", *training}


def test_random_functions_take_the_key_first_and_options_by_keyword():
    """But for the estimator's methods, whose arguments are scikit-learn's."""
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [
                    argument.arg
                    for argument in node.args.args
                    if argument.arg not in ("self", "cls")
                ]
                assert "key" not in names[1:], f"{name(path)}.{node.name}: the key comes first"
                named = (
                    name(path) in ("jaxae.core.rng", "jaxae.estimator.autoencoder")
                    or f"{name(path)}.{node.name}" in POSITIONAL
                )
                assert not node.args.defaults or named, (
                    f"{name(path)}.{node.name}: options are keyword-only"
                )


def test_public_functions_have_a_contract():
    for path in MODULES + SCRIPTS:
        assert ast.get_docstring(tree(path)), path
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name(path)}.{node.name}"


def test_modules_wings_and_scripts_are_small():
    """A command has a module of its own, however many there are."""
    lengths = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {module: length for module, length in lengths.items() if length > 275} == {}
    doors = {"__init__", *(command.replace("-", "_") for command in COMMANDS)}
    rooms = {
        wing: len([path for path in (PACKAGE / wing).glob("*.py") if path.stem not in doors])
        for wing in WINGS
    }
    assert {wing: count for wing, count in rooms.items() if count > 12} == {}
    assert len([path for path in PACKAGE.glob("*.py") if path.stem != "__init__"]) <= 9
    assert [path.name for path in SCRIPTS if len(path.read_text().splitlines()) > 40] == []
