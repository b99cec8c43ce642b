import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxae import temporary
from jaxae.temporary import PREFIX, clear_leftovers, discard, replacing


def test_what_is_written_replaces_the_file_at_the_end(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(unfinished: Path, error: type[BaseException]) -> None:
    unfinished.mkdir()
    (unfinished / "half").write_text("")
    unfinished.with_name(f"{unfinished.name}.orbax-checkpoint-tmp").mkdir()
    raise error


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_what_was_there(error, tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as unfinished:
        write_half(unfinished, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_nothing_that_holds_something(tmp_path):
    (tmp_path / "run" / "precious").mkdir(parents=True)
    with pytest.raises(OSError), replacing(tmp_path / "run") as unfinished:  # noqa: PT011
        unfinished.mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "precious").is_dir()


def test_a_discarded_folder_is_gone(tmp_path):
    (tmp_path / "2" / "d").mkdir(parents=True)
    discard(tmp_path / "2")
    assert list(tmp_path.iterdir()) == []


def killed(folder: Path) -> Path:
    """Return what a process leaves that is killed while it writes in a folder."""
    script = f"""
import os
from pathlib import Path
from jaxae.temporary import replacing
with replacing(Path({str(folder / "3")!r})) as unfinished:
    unfinished.mkdir()
    (unfinished / "half").write_text("")
    print(unfinished, flush=True)
    os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    return Path(done.stdout.strip())


def test_leftovers_of_a_killed_process_go_with_the_next_write(tmp_path):
    left = killed(tmp_path)
    left.with_name(f"{left.name}.orbax-checkpoint-tmp").mkdir()
    with replacing(tmp_path / "4") as unfinished:
        assert not left.exists()
        unfinished.write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["4"]


@pytest.mark.parametrize(
    ("error", "ended"),
    [(ProcessLookupError, True), (PermissionError, False), (OverflowError, False)],
)
def test_a_process_of_another_user_has_not_ended(error, ended, monkeypatch):
    def kill(process: int, signal: int) -> None:
        raise error

    monkeypatch.setattr(os, "kill", kill)
    assert temporary._has_ended(1) == ended


def test_only_what_is_surely_an_abandoned_file_of_ours_is_deleted(tmp_path, monkeypatch):
    ours = temporary._own_name(tmp_path)
    ended = killed(tmp_path)
    machine = ended.name.removeprefix(PREFIX).split("-")[1]
    elsewhere = ended.with_name(ended.name.replace(machine, "0123abcd"))
    strangers = ["2-keep", "2 (copy)", "backup", "x.tmp", "3.deleted", f"{PREFIX}-notes"]
    for path in (ours, elsewhere, *(tmp_path / name for name in strangers)):
        path.mkdir()

    clear_leftovers(tmp_path)
    assert not ended.exists()
    assert {path.name for path in tmp_path.iterdir()} == {ours.name, elsewhere.name, *strangers}

    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    clear_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*strangers}
