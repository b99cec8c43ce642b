"""Valid files of a run with one value edited, digests recomputed: what comes out is the right value or an InputError."""

import copy
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxae.cli import plot
from jaxae.cli.command import Source
from jaxae.config import Config
from jaxae.core.rng import root_key
from jaxae.data.load import synthetic_dataset
from jaxae.digests import json_digest
from jaxae.errors import InputError, silent
from jaxae.inference import Run, load
from jaxae.runs import directory, manifest, metrics_log
from jaxae.runs.directory import POPULATION, members
from jaxae.runs.manifest import ENDS, tree_digest
from jaxae.train.loop import fit

SHA = "0" * 64
CONTENT: dict[str, Any] = {
    "epoch": 3,
    "best_epoch": 2,
    "owner": {"recipe": {"seed": 0}},
    "leaves": {"variables": {"a": "float32[2]"}},
    "sha256": {"variables": SHA},
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
    st.just("../x"),
)
quickly = settings(max_examples=100, deadline=None)


def check_line(error: InputError) -> None:
    assert "\n" not in str(error)


@given(name=st.sampled_from(sorted(CONTENT)), value=VALUES, inner=st.booleans())
@quickly
def test_an_edited_manifest_says_what_it_holds_or_is_refused(name, value, inner):
    content = copy.deepcopy(CONTENT)
    if inner and isinstance(content[name], dict):
        content[name][str(value)] = value
    else:
        content[name] = value
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "3"
        folder.mkdir()
        (folder / manifest.NAME).write_text(
            json.dumps({"sha256": json_digest(content), "content": content})
        )
        try:
            found = manifest.read_manifest(folder)
        except InputError as error:
            return check_line(error)
    assert found.model_dump(exclude_unset=True) == content
    assert found.epoch in (None, 3)


@given(
    value=st.one_of(VALUES, st.lists(VALUES, max_size=3), st.just({"members": 3})),
    whole=st.booleans(),
)
@quickly
def test_an_edited_population_names_its_members_or_is_refused(value, whole):
    with tempfile.TemporaryDirectory() as place:
        run = Path(place)
        (run / POPULATION).write_text(json.dumps(value if whole else {"members": value}))
        try:
            found = members(run)
        except InputError as error:
            return check_line(error)
        count = len(value) if not whole and isinstance(value, list) else 0
        assert found == ([run / "members" / str(k) for k in range(count)] or [run])


RECIPE = json.loads(Config(dataset="synthetic").to_json())
NUMBERS = st.one_of(
    st.integers(-(10**400), 10**400), st.integers(-3, 300), st.floats(), st.floats(0, 1)
)
ANY = st.one_of(
    VALUES,
    NUMBERS,
    st.lists(NUMBERS, max_size=4),
    st.sampled_from(["linear", "relu", "rbg", "mnist", "he_normal"]),
)


@given(name=st.sampled_from([*RECIPE, "data", "other"]), value=ANY, drop=st.booleans())
@settings(max_examples=300, deadline=None)
def test_an_edited_config_is_the_recipe_that_it_says_or_is_refused(name, value, drop):
    content = {key: each for key, each in RECIPE.items() if key != name} | (
        {} if drop else {name: value}
    )
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "config.json").write_text(json.dumps(content))
        try:
            found = directory.read_config(Path(place))
        except InputError as error:
            return check_line(error)
    content.pop("data", None)
    assert content.keys() <= RECIPE.keys()
    for key, each in vars(found).items():
        wanted = content.get(key, getattr(Config(), key))
        pairs = zip(each, wanted, strict=True) if isinstance(each, tuple) else [(each, wanted)]
        assert all(
            got == (float(value) if isinstance(got, float) else value) for got, value in pairs
        )
        assert isinstance(each, bool) == isinstance(wanted, bool)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    """A run of two epochs of a small model."""
    place = tmp_path_factory.mktemp("edited") / "run-SYNTHETIC"
    recipe = Config(dataset="synthetic", epochs=2, batch_size=64, widths=(8, 4))
    fit(recipe, synthetic_dataset(root_key(1), train=240, test=20), run_dir=place, report=silent)
    return place


@given(name=st.sampled_from(sorted(RECIPE)), value=st.one_of(ANY, st.just(None)))
@settings(max_examples=40, deadline=None)
def test_a_run_with_an_edited_config_is_refused_unless_it_changes_nothing(run_dir, name, value):
    whole = (run_dir / "config.json").read_text()
    before = load(run_dir)
    try:
        (run_dir / "config.json").write_text(json.dumps(json.loads(whole) | {name: value}))
        after: Run | None = load(run_dir)
    except InputError as error:
        check_line(error)
        after = None
    finally:
        (run_dir / "config.json").write_text(whole)
    if after:
        assert tree_digest(after.variables) == tree_digest(before.variables)
        assert {each.partition(":")[0] for each in after.config.differences(before.config)} <= {
            *ENDS
        }


ROW = {
    "data": "SYNTHETIC",
    "epoch": 2,
    "step": 3,
    "train_loss": 0.5,
    "validation_loss": 0.4,
    "validation_mae": 0.3,
    "validation_mse": 0.2,
    "learning_rate": 1e-3,
    "best": True,
    "images_per_s": 9,
    "seconds_left": 9,
}


@given(
    name=st.sampled_from([*ROW, "other"]),
    value=st.one_of(ANY, st.just(math.nan)),
    drop=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_an_edited_row_of_metrics_is_read_as_it_is_or_passed_over(name, value, drop):
    row = {key: each for key, each in ROW.items() if key != name} | ({} if drop else {name: value})
    rows = [ROW | {"epoch": 1}, row, ROW | {"epoch": 3}]
    with tempfile.TemporaryDirectory() as place:
        metrics_log.write(Path(place), rows)
        found = metrics_log.read(Path(place))
        assert [each for each in found if repr(each) not in map(repr, rows)] == []
        assert {1, 3} <= {each["epoch"] for each in found}
        assert all(each["epoch"] in (1, 2, 3, row.get("epoch")) for each in found)
        metrics_log.rewind(Path(place), 3)
        assert [each["epoch"] for each in metrics_log.read(Path(place))] == [
            e["epoch"] for e in found if e["epoch"] <= 3
        ]


@given(name=st.sampled_from(sorted(ROW)), value=NUMBERS)
@example(name="train_loss", value=1.8e94)
@example(name="validation_loss", value=1.8e94)
@settings(max_examples=6, deadline=None)
def test_training_curves_of_edited_metrics_are_drawn_or_refused(name, value):
    with tempfile.TemporaryDirectory() as place:
        metrics_log.write(Path(place), [ROW | {name: value}, ROW | {"epoch": 3}])
        (Path(place) / "config.json").write_text(Config(dataset="synthetic").to_json())
        plot.training_curves(Source(run=Path(place)))
        assert (Path(place) / "figures" / "training_curves.png").is_file()
