"""A valid file of a run is edited: what is read is what it holds, or it is refused in one line."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxae.build import first_state, state_shapes
from jaxae.cli import plot
from jaxae.cli.options import Source
from jaxae.config import EARLIER, Config
from jaxae.digests import json_digest
from jaxae.errors import InputError
from jaxae.runs import checkpoint, directory, manifest, metrics_log
from jaxae.runs.population import POPULATION, members
from tests.edits import BYTES, JSON_EDITS, check_line, edited, with_bytes

CONTENT: dict[str, Any] = {
    "epoch": 3,
    "best_epoch": 2,
    "owner": {"recipe": {"seed": 0}, "data_sha256": "1"},
    "leaves": {"variables": {"a": "float32[2]"}},
    "sha256": {"variables": "0" * 64},
}
RECIPE = json.loads(Config(dataset="synthetic").to_json())
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
SMALL = Config(dataset="synthetic", widths=(8, 4))
EDITS = st.one_of(JSON_EDITS, BYTES)


def edited_text(content: Any, edit: Any) -> bytes:
    """Return JSON with an edited part, or edited bytes."""
    if isinstance(edit, list):
        return with_bytes(json.dumps(content).encode(), edit)
    return json.dumps(edited(content, edit)).encode()


def parsed(raw: bytes) -> Any:
    """Return what JSON says, None if it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


@given(edit=EDITS)
def test_an_edited_manifest(edit):
    """Its digest is that of the edited content; edited bytes do not have theirs."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "3"
        folder.mkdir()
        content = edited(CONTENT, edit) if not isinstance(edit, list) else CONTENT
        raw = json.dumps({"sha256": json_digest(content), "content": content}).encode()
        raw = with_bytes(raw, edit) if isinstance(edit, list) else raw
        (folder / manifest.NAME).write_bytes(raw)
        try:
            found = manifest.read_manifest(folder)
        except InputError as error:
            return check_line(error)
    assert repr(found.model_dump(exclude_unset=True)) == repr(
        {name: content[name] for name in type(found).model_fields if name in content}
    )
    assert found.epoch in (None, 3)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A run with one checkpoint."""
    run = tmp_path_factory.mktemp("saved")
    checkpoint.save(run, first_state(SMALL))
    return run


@given(number=st.integers(0, 99), edits=BYTES, cut=st.booleans())
@settings(max_examples=15)
def test_an_edited_checkpoint(saved, number, edits, cut):
    """Any of its files, cut in half or with other bytes."""
    with tempfile.TemporaryDirectory() as place:
        run = shutil.copytree(saved, Path(place) / "run")
        files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.stat().st_size]
        path = files[number % len(files)]
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2] if cut else with_bytes(raw, edits))
        try:
            found = checkpoint.read(run, 0, state_shapes(SMALL))
        except InputError as error:
            return check_line(error)
    assert manifest.tree_digest(found) == manifest.tree_digest(first_state(SMALL))


@given(edit=EDITS)
def test_an_edited_config(edit):
    raw = edited_text(RECIPE, edit)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "config.json").write_bytes(raw)
        try:
            found = directory.read_config(Path(place))
        except InputError as error:
            return check_line(error)
    stored = parsed(raw)
    assert stored.keys() <= RECIPE.keys()
    assert Config.from_json(found.to_json()) == found
    expected = json.loads(Config().to_json()) | EARLIER | stored
    for name, value in json.loads(found.to_json()).items():
        told = expected[name]
        assert isinstance(value, bool) == isinstance(told, bool)
        for mine, theirs in zip(flat(value), flat(told), strict=True):
            assert mine == (float(theirs) if isinstance(mine, float) else theirs)


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@given(edit=EDITS)
def test_an_edited_population(edit):
    raw = edited_text({"members": ["seed 0", "seed 1"]}, edit)
    with tempfile.TemporaryDirectory() as place:
        run = Path(place)
        (run / POPULATION).write_bytes(raw)
        try:
            found = members(run)
        except InputError as error:
            return check_line(error)
        stored = parsed(raw)
        names = stored.get("members", []) if isinstance(stored, dict) else []
        assert found == [run / "members" / str(k) for k in range(len(names))] or found == [run]
        assert all(isinstance(name, str) for name in names)


@given(edit=EDITS)
def test_an_edited_row_of_metrics(edit):
    """It is read as it is, or passed over; the rows around it are read."""
    raw = edited_text(ROW, edit)
    lines = [json.dumps(ROW | {"epoch": 1}).encode(), raw, json.dumps(ROW | {"epoch": 3}).encode()]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / metrics_log.NAME
        path.write_bytes(b"\n".join(lines))
        found = metrics_log.read(Path(place))
        metrics_log.rewind(Path(place), 3)
        kept = metrics_log.read(Path(place))
    possible = [repr(parsed(line)) for line in b"\n".join(lines).splitlines()]
    assert all(repr(row) in possible for row in found)
    assert {1, 3} <= {row["epoch"] for row in found}
    assert repr(kept) == repr([row for row in found if row["epoch"] <= 3])


@pytest.mark.parametrize("value", [1.8e94, float("nan"), -1, 0])
@pytest.mark.parametrize("name", ["train_loss", "validation_loss", "learning_rate"])
def test_training_curves_of_edited_metrics_are_drawn(name, value, tmp_path):
    metrics_log.write(tmp_path, [ROW | {name: value}, ROW | {"epoch": 3}])
    (tmp_path / "config.json").write_text(Config(dataset="synthetic").to_json())
    plot.training_curves(Source(run=tmp_path))
    assert (tmp_path / "figures" / "training_curves.png").is_file()
