"""Edits of valid files, for tests that read them afterwards."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.integers(-(10**400), 10**400), st.integers(-3, 300), st.floats(), st.floats(0, 1)
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    st.text(max_size=4),
    st.lists(NUMBERS, max_size=4),
    st.sampled_from(["../x", "relu", "mnist", [], {}, [1, "x"], {"a": 1}]),
)
BYTES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3)


class Edit(NamedTuple):
    """One change of a JSON value."""

    how: str
    """set, drop or add."""
    place: int
    value: Any


JSON_EDITS = st.builds(Edit, st.sampled_from(["set", "drop", "add"]), st.integers(0, 99), VALUES)


def edited(content: Any, edit: Edit) -> Any:
    """Return a copy of a JSON value with one of its parts changed."""
    content = copy.deepcopy(content)
    places = list(_places(content))
    container, key = places[edit.place % len(places)]

    if edit.how == "drop":
        del container[key]
    elif edit.how == "add" and isinstance(container, dict):
        container["other"] = edit.value
    else:
        container[key] = edit.value
    return content


def with_bytes(raw: bytes, edits: list[tuple[int, int]], *, below: int | None = None) -> bytes:
    """Return the bytes with some of them, or some of the first ones, set to others."""
    changed = bytearray(raw)
    for place, value in edits:
        changed[place % min(len(changed), below or len(changed))] = value
    return bytes(changed)


def check_line(error: Exception) -> None:
    """Assert that a message is one line."""
    assert "\n" not in str(error)


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])
