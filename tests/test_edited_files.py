"""Valid files of a run with one value edited, digests recomputed: what comes out is the right value or an InputError."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxae.digests import json_digest
from jaxae.errors import InputError
from jaxae.runs import manifest
from jaxae.runs.population_directory import POPULATION, members

SHA = "0" * 64
CONTENT: dict[str, Any] = {
    "epoch": 3,
    "best_epoch": 2,
    "owner": {"recipe": {"seed": 0}},
    "leaves": {"variables": {"a": "float32[2]"}},
    "sha256": {"variables": SHA},
    "files": {"variables/d/0": SHA},
}
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4), st.just([]), st.just({}), st.just("../x"))
quickly = settings(max_examples=100, deadline=None)


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
        (folder / manifest.NAME).write_text(json.dumps({"sha256": json_digest(content), "content": content}))
        try:
            found = manifest.read_manifest(folder)
        except InputError:
            return
    assert found.model_dump() == content
    assert found.epoch in (None, 3)
    assert not any(".." in Path(file).parts for file in found.files)


@given(value=st.one_of(VALUES, st.lists(VALUES, max_size=3), st.just({"members": 3})), whole=st.booleans())
@quickly
def test_an_edited_population_names_its_members_or_is_refused(value, whole):
    with tempfile.TemporaryDirectory() as place:
        run = Path(place)
        (run / POPULATION).write_text(json.dumps(value if whole else {"members": value}))
        try:
            found = members(run)
        except InputError:
            return
        count = len(value) if not whole and isinstance(value, list) else 0
        assert found == ([run / "members" / str(k) for k in range(count)] or [run])
