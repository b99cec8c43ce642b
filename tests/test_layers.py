"""The shape of the house: imports point down, keys are derived in one place, scripts stay thin."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    0: [
        "errors",
        "quiet",
        "config",
        "rng",
        "fingerprint",
        "fashion_mnist",
        "synthetic",
        "corruption",
        "objective",
        "metrics",
        "model",
        "optim",
        "environment",
        "embedding",
        "baselines",
        "agreement",
        "published",
    ],
    1: ["data", "state", "rundir", "manifest", "population", "devices", "processes"],
    2: ["step", "checkpoint", "history", "figures", "members"],
    3: ["epoch", "evaluate", "reports", "latent_figures", "noise_figures", "agreement_figures"],
    4: ["train", "cli", "latent", "noise_curve", "classes"],
    5: ["options"],
    6: ["measure"],
}
LAYER = {name: layer for layer, names in LAYERS.items() for name in names}
MODULES = sorted(path for path in (ROOT / "jaxae").glob("*.py") if path.stem != "__init__")
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of all that a file imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_has_a_layer():
    assert {path.stem for path in MODULES} == set(LAYER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_point_down(path):
    for name in imported(path):
        if name.startswith("jaxae."):
            other = name.split(".")[1]
            allowed = LAYER[other] < LAYER[path.stem] or other in ("errors", "config", "rng")  # the ground that all stand on
            assert allowed, f"{path.stem} (layer {LAYER[path.stem]}) imports {other} (layer {LAYER[other]})"


def test_one_importer_of_orbax():
    assert [path.stem for path in MODULES if any(name.startswith("orbax") for name in imported(path))] == ["checkpoint"]


@pytest.mark.parametrize(
    ("stem", "forbidden"),
    [("config", "jax."), ("figures", "jax."), ("latent_figures", "jax."), ("noise_figures", "jax."), ("errors", "jax.")],
)
def test_no_jax_where_none_is_needed(stem, forbidden):
    names = {name + "." for name in imported(ROOT / "jaxae" / f"{stem}.py")}
    assert not any(name.startswith((forbidden, "jaxlib.")) for name in names)


def test_keys_are_derived_in_rng_alone():
    deriving = ("random.key(", "random.PRNGKey(", "random.split(", "random.fold_in(", "wrap_key_data(", "np.random")
    for path in MODULES + SCRIPTS:
        if path.stem not in ("rng", "latent_figures"):  # which shuffles the order of drawing
            assert not [call for call in deriving if call in path.read_text()], path


def test_pure_layers_have_no_jit_inside():
    for stem in [*LAYERS[0], "state", "step"]:
        assert "jax.jit" not in (ROOT / "jaxae" / f"{stem}.py").read_text(), stem


def test_random_functions_take_the_key_first_and_options_by_keyword():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
                assert "key" not in names[1:], f"{path.stem}.{node.name}: the key comes first"
                named = path.stem == "rng" or node.name == "scorecard"  # whose labels are the third of three arrays
                assert not node.args.defaults or named, f"{path.stem}.{node.name}: options are keyword-only"


def test_public_functions_have_a_contract():
    for path in MODULES + SCRIPTS:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.stem}.{node.name}"


def test_no_module_is_long_and_scripts_are_thin():
    lengths = {path.name: len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 150} == {}
    assert [path.name for path in SCRIPTS if len(path.read_text().splitlines()) > 40] == []
