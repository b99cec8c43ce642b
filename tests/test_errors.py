import io
import os
import pickle
import pwd
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jaxae.cli import release
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, expand, readable, show, silent
from jaxae.inference import load
from jaxae.runs import files
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit

SMALL = Config(dataset="synthetic", epochs=1, batch_size=64, learning_rate=3e-3, widths=(64, 16))


def test_the_home_is_put_in_and_other_paths_stay(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("~/runs") == Path("/home/someone/runs")
    for path in ("runs/~", "/x/~y", ".", "a/b"):
        assert expand(path) == expand(Path(path)) == Path(path)


@pytest.mark.parametrize("path", ["x" * 300, "/" + "y" * 5000, "~\0", "a/\0b", "loop/x"])
def test_what_is_no_path_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    for use in (expand, load, load_dataset):
        with pytest.raises(InputError, match=r"is no path \(.*name another") as caught:
            use(path)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("path", ["", None, b"runs", 3.5])
def test_an_empty_name_is_not_this_folder_and_a_path_is_text(path, tmp_path, monkeypatch):
    """As from a variable of the shell that is not set: --dataset "$DATA"."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("here.png")
    message = "is empty: name one" if path == "" else r"is no path \("
    for use in (expand, load):
        with pytest.raises(InputError, match=message):
            use(path)
    with pytest.raises(InputError, match="is empty: name one"):
        load_dataset("")


NAMES = {
    b"a\nb.png": r"a\nb.png",
    b"caf\xe9\t\x1b[2J.png": r"caf\xe9\t\x1b[2J.png",
    "日本 é\u2028.png".encode(): r"日本 é\u2028.png",
}
"""Names of files, as bytes, and what is printed of them."""


@pytest.mark.parametrize("name", NAMES)
def test_an_error_is_one_line_that_can_be_printed_whatever_a_file_is_called(name, tmp_path):
    path = tmp_path / os.fsdecode(name)
    path.write_text("no picture")
    assert readable(path.name) == readable(readable(path.name)) == NAMES[name]
    with pytest.raises(InputError) as caught:
        load_dataset(tmp_path, data_dir=tmp_path / "cache", report=silent)
    message = str(caught.value)
    message.encode()
    assert NAMES[name] in message
    assert len(message.splitlines()) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


@pytest.mark.parametrize(("encoding", "printed"), [("utf-8", "ü ×"), ("ascii", r"\xfc \xd7")])
def test_progress_is_shown_in_any_encoding(encoding, printed, monkeypatch):
    """An ASCII terminal has no ×, and no UTF-8 one the half character of a byte in a name."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stdout)
    show(f"ü × {os.fsdecode(bytes([0xE9]))}")
    stdout.flush()
    assert stdout.buffer.getvalue().decode(encoding) == printed + " \\udce9\n"


@pytest.mark.parametrize("url", ["gs://bucket/run", "s3://bucket", "https://example.org/x"])
def test_a_url_is_refused_and_nothing_is_made(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (expand, load, load_dataset, lambda path: run_directory(Path(path), SMALL)):
        with pytest.raises(InputError, match="is a URL: name a file or folder"):
            use(url)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def homeless(monkeypatch, tmp_path) -> Path:
    """As in a container, whose user number is not in /etc/passwd. An empty working directory."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return tmp_path


def test_an_unknown_home_is_an_error_and_no_folder_called_tilde(homeless):
    for use in (
        lambda: run_directory(Path("~/run"), Config()),
        lambda: load("~/run"),
        lambda: load_dataset("fashion_mnist"),
        lambda: load_dataset("fashion_mnist", data_dir="x", manual_dir="~nobody-of-that-name/y"),
        lambda: release.main(homeless, Path("~/released")),
    ):
        with pytest.raises(InputError, match=r"begins with ~.*set HOME"):
            use()
    assert os.listdir(homeless) == []


def test_what_needs_no_home_works_without_one(homeless, dataset):
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    np.savez(homeless / "x.npz", images=images)
    assert load_dataset("x.npz", report=silent).image_shape == (28, 28, 1)
    assert load_dataset("synthetic").title == "SYNTHETIC"
    fit(SMALL, dataset, run_dir="run", report=silent)
    assert load("run-SYNTHETIC").epoch == 1
    assert sorted(os.listdir(homeless)) == ["run-SYNTHETIC", "x.npz"]


def test_a_link_to_nothing_is_called_that_and_nothing_is_made(dataset, tmp_path):
    """In the place of a run, above it, in the place of data, and of a result."""
    link, run = tmp_path / "link", tmp_path / "a-SYNTHETIC"
    link.symlink_to(tmp_path / "gone")
    fit(SMALL, dataset, run_dir=run, report=silent)
    for use in (
        lambda: fit(SMALL, dataset, run_dir=link, report=silent),
        lambda: fit(SMALL, dataset, run_dir=link / "a-SYNTHETIC", report=silent),
        lambda: load(link),
        lambda: load(link / "a"),
        lambda: release.main(run, link),
        lambda: release.main(run, link / "a"),
        lambda: load_dataset(link),
        lambda: load_dataset("fashion_mnist", data_dir=link),
        lambda: load_dataset("fashion_mnist", data_dir=tmp_path, manual_dir=link),
    ):
        with pytest.raises(
            InputError,
            match=f"{link} is a link to {tmp_path / 'gone'}, which does not exist; make that",
        ):
            use()
    assert sorted(os.listdir(tmp_path)) == ["a-SYNTHETIC", "link"]


def test_a_result_replaces_a_link_to_nothing_and_a_result_below_one_says_so(tmp_path):
    (tmp_path / "evaluation.json").symlink_to(tmp_path / "gone")
    files.write_json(tmp_path / "evaluation.json", {"mse": 0.5})
    assert files.read_json(tmp_path / "evaluation.json") == {"mse": 0.5}
    (tmp_path / "figures").symlink_to(tmp_path / "gone")
    with pytest.raises(
        InputError,
        match=f"{tmp_path / 'figures'} is a link to {tmp_path / 'gone'}, which does not exist",
    ):
        files.save_figure(tmp_path, "x", Figure())
    assert sorted(os.listdir(tmp_path)) == ["evaluation.json", "figures"]
