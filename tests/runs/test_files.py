import errno
import json
import os
import threading

import pytest
from matplotlib.figure import Figure

from jaxae.errors import InputError
from jaxae.runs import files


def test_a_result_is_written_and_named(tmp_path):
    path = tmp_path / "evaluation.json"
    for result in ({"mse": 0.0245}, {"mse": 0.5, "versions": {"jax": "1"}}):
        assert files.write_result(path, result) == f"Wrote {path}"
        assert json.loads(path.read_text()) == result


def test_json_has_no_nan(tmp_path):
    """Which no other program reads as JSON."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"mse": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_same_figure_gives_the_same_file(tmp_path):
    path = tmp_path / "figures" / "map.png"
    written = []
    for title in ("epoch 152", "epoch 152", "epoch 153"):
        figure = Figure(figsize=(3, 2))
        figure.suptitle(title)
        assert files.save_figure(tmp_path, "map", figure) == f"Wrote {path}"
        written.append(path.read_bytes())
    assert written[0] == written[1] != written[2]
    assert [each.name for each in path.parent.iterdir()] == ["map.png"]


def test_boxes_for_characters_that_the_font_lacks_are_told(tmp_path):
    figure = Figure(figsize=(3, 2))
    figure.suptitle("猫")
    told = files.save_figure(tmp_path, "map", figure)
    assert told.endswith("map.png, with boxes for characters that no font here has")


def test_a_file_that_two_write_at_once_is_one_of_the_two_at_any_time(tmp_path):
    path = tmp_path / "evaluation.json"
    results = [{"rows": [number] * 20_000} for number in (0, 1)]
    files.write_json(path, results[0])

    def write(result: dict[str, list[int]]) -> None:
        for _ in range(20):
            files.write_json(path, result)

    writers = [threading.Thread(target=write, args=[result]) for result in results]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert json.loads(path.read_text()) in results
    assert [each.name for each in tmp_path.iterdir()] == ["evaluation.json"]


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
