"""Results that another machine repeats leave the files of a run as they are: `git status` stays clean."""

import errno
import json
import os
from typing import Any

import pytest
from matplotlib.figure import Figure

from jaxae.errors import InputError
from jaxae.runs import files

OURS = {"mse": 0.0245, "knn": [0.71, None]}
RESULT: dict[str, Any] = {"data": "x", "epoch": 3, "versions": {"jax": "1"}, "rows": {"ours": OURS}}


def changed(**values: object) -> dict[str, Any]:
    return {**RESULT, "rows": {"ours": {**OURS, **values}}}


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (RESULT, True),
        (changed(mse=0.0245 * (1 + 1e-6)), True),  # rounding
        ({**RESULT, "versions": {"jax": "2"}}, True),
        (changed(mse=0.0246), False),
        (changed(knn=[0.71, 0.5]), False),
        (changed(ssim=0.5), False),
        (changed(knn=0.71), False),
        (changed(mse=[0.0245]), False),
        ({**RESULT, "rows": {"ours": 0.71}}, False),
        ({**RESULT, "epoch": {"ours": 3}}, False),
        ({**RESULT, "epoch": 4}, False),
        ({**RESULT, "data": "y"}, False),
    ],
)
def test_a_result_is_written_only_where_it_is_another(new, kept, tmp_path):
    path = tmp_path / "evaluation.json"
    assert files.write_result(path, RESULT) == f"Wrote {path}"
    assert ("left as it is" in files.write_result(path, new)) == kept
    assert json.loads(path.read_text()) == (RESULT if kept else new)


def drawn(*, x: float = 0.3, title: str = "epoch 152", height: float = 2) -> Figure:
    figure = Figure(figsize=(3, height))
    figure.subplots().imshow([[x, 0.0], [0.0, 0.0]], vmin=0, vmax=1)
    figure.suptitle(title)
    return figure


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"x": 0.3 + 1e-6}, True),
        ({"x": 0.8}, False),
        ({"title": "epoch 153"}, False),
        ({"height": 3}, False),
    ],
)
def test_a_figure_is_written_only_where_it_is_another(change, kept, tmp_path):
    path = tmp_path / "figures" / "map.png"
    assert files.save_figure(tmp_path, "map", drawn()) == f"Wrote {path}"
    before = path.read_bytes()
    assert ("left as it is" in files.save_figure(tmp_path, "map", drawn(**change))) == kept
    assert (path.read_bytes() == before) == kept
    assert [each.name for each in path.parent.iterdir()] == ["map.png"]


def test_a_damaged_figure_is_drawn_again(tmp_path):
    path = tmp_path / "figures" / "map.png"
    files.save_figure(tmp_path, "map", drawn())
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert files.save_figure(tmp_path, "map", drawn()) == f"Wrote {path}"
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "make room"), (errno.EFBIG, "make room"), (errno.EACCES, "get permission")],
)
def test_advice_is_about_what_the_system_refused(number, advice, tmp_path):
    with pytest.raises(InputError, match=advice), files.file_errors(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_link_to_nothing_is_named(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for path in (tmp_path / "link" / "x.json", tmp_path / "link" / "members" / "0" / "x.json"):
        with pytest.raises(
            InputError, match=r"link is a link to .*/gone, which does not exist; make that, or"
        ):
            files.write_json(path, {})


def test_folders_on_the_way_are_made(tmp_path):
    for text in ("one", "two"):
        files.write_text(tmp_path / "a" / "b" / "x.json", text)
        assert (tmp_path / "a" / "b" / "x.json").read_text() == text
