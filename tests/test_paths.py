import os
import pwd
from pathlib import Path

import pytest

from jaxae.cli import release
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.inference import load
from jaxae.paths import expand
from jaxae.runs.directory import run_directory


def test_the_home_is_put_in_and_other_paths_stay(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("~/runs") == Path("/home/someone/runs")
    for path in ("runs/~", "/x/~y", ".", "a/b"):
        assert expand(path) == expand(Path(path)) == Path(path)


def test_an_unknown_home_is_an_error_and_no_folder_called_tilde(monkeypatch, tmp_path):
    """As in a container whose user number has no entry in /etc/passwd."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for use in (
        lambda: run_directory(Path("~/run"), Config()),
        lambda: load("~/run"),
        lambda: load_dataset("fashion_mnist"),
        lambda: load_dataset("fashion_mnist", data_dir="x", manual_dir="~nobody-of-that-name/y"),
        lambda: release.main(tmp_path, Path("~/released")),
    ):
        with pytest.raises(InputError, match=r"begins with ~.*set HOME"):
            use()
    assert os.listdir(tmp_path) == []
