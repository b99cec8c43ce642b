import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jaxae.config import Config
from jaxae.errors import InputError
from jaxae.runs import directory, files
from jaxae.temporary import PREFIX


def test_a_synthetic_run_has_it_in_its_name(tmp_path):
    synthetic = Config(dataset="synthetic")
    assert directory.run_directory(tmp_path / "quick", synthetic).name == "quick-SYNTHETIC"
    assert (
        directory.run_directory(tmp_path / "quick-SYNTHETIC", synthetic).name == "quick-SYNTHETIC"
    )
    assert (
        directory.run_directory(tmp_path / "quick", Config(dataset="fashion_mnist")).name == "quick"
    )


def opened(run_dir: Path, config: Config, *, overwrite: bool = False) -> None:
    """Opens a run and leaves it again."""
    with directory.open_run(run_dir, config, overwrite=overwrite):
        pass


def test_the_same_recipe_opens_again_and_another_is_refused_by_field(tmp_path):
    opened(tmp_path / "run", Config(epochs=5))
    opened(tmp_path / "run", Config(epochs=5))
    assert directory.read_config(tmp_path / "run") == Config(epochs=5)
    with pytest.raises(InputError, match=r"seed: 1, not 0; batch_size: 64, not 128\)"):
        opened(tmp_path / "run", Config(epochs=5, seed=1, batch_size=64))
    with pytest.raises(InputError, match=r"\(seed: 1, not 0\)"):
        opened(tmp_path / "run", Config(epochs=6, seed=1))


def test_when_a_run_ends_may_change(tmp_path):
    longer = Config(epochs=6, early_stop_patience=30)
    opened(tmp_path / "run", Config(epochs=5))
    opened(tmp_path / "run", longer)
    assert directory.read_config(tmp_path / "run") == longer


def test_overwrite_deletes_a_run_and_nothing_else(tmp_path):
    run, other = tmp_path / "run", tmp_path / "thesis"
    opened(run, Config())
    (run / "metrics.jsonl").write_text("old")
    (run / "export").mkdir()
    for name in ("explorer.html", "report.html", "comparison.html", "map.csv", "export/README.md"):
        (run / name).write_text("old")
    opened(run, Config(seed=1), overwrite=True)
    assert sorted(path.name for path in run.iterdir()) == ["config.json"]
    other.mkdir()
    (other / "config.json").write_text(
        '{"model_type": "bert"}'
    )  # many programs write a file of that name
    (other / "weights.bin").write_text("precious")
    for overwrite in (True, False):
        with pytest.raises(InputError, match="thesis"):
            opened(other, Config(), overwrite=overwrite)
    assert (other / "weights.bin").read_text() == "precious"
    assert len(list(other.iterdir())) == 2


def test_a_kill_while_a_run_is_made_or_deleted_leaves_what_the_same_command_accepts(tmp_path):
    made, deleted = tmp_path / "made", tmp_path / "deleted"
    made.mkdir()
    (made / f"{PREFIX}-0-1-2").write_text("{")
    opened(made, Config())
    opened(deleted, Config())
    (deleted / "metrics.jsonl").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "jaxae.runs.directory.write_text", lambda *_: None
        )  # killed between the deletion and the new config
        opened(deleted, Config(), overwrite=True)
    assert list(deleted.iterdir()) == []
    opened(deleted, Config())


def test_two_processes_do_not_train_in_one_directory(tmp_path):
    script = f"""
from pathlib import Path
from jaxae.runs import directory
from jaxae.config import Config
with directory.open_run(Path({str(tmp_path / "run")!r}), Config()):
    print("in", flush=True)
    input()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        for overwrite in (False, True):
            with pytest.raises(InputError, match="Another process is training"):
                opened(tmp_path / "run", Config(), overwrite=overwrite)
        other.kill()
    opened(tmp_path / "run", Config())  # the lock died with its process


@pytest.mark.parametrize("text", ["", "[1]", '{"epochs": 0}', "\x00\x01"])
def test_a_damaged_config_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        directory.read_config(tmp_path)


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        directory.read_config(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not a run directory"):
        directory.read_config(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        opened(tmp_path / "file", Config())
    (tmp_path / "x-SYNTHETIC").mkdir()
    with pytest.raises(InputError, match=r"did you mean .*x-SYNTHETIC"):
        directory.read_config(tmp_path / "x")


def test_a_read_only_place_is_one_clear_line():
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        opened(place / "run", Config())
        for path in (place / "run", place):
            path.chmod(0o555)
        with nobody():
            for run_dir in (place / "run", place / "new"):
                with pytest.raises(InputError, match="can't be used"):
                    opened(run_dir, Config())
        place.chmod(0o000)
        with nobody(), pytest.raises(InputError, match="can't be used"):
            directory.read_config(place / "run")
        place.chmod(0o755)


@contextlib.contextmanager
def nobody():
    """Root may write everywhere, so root steps down to see what others see."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_place_below_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be used"):
        opened(tmp_path / "file" / "run", Config())


def test_json_is_whole_or_not_there(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "evaluation.json", {"psnr": float("inf")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fate", ["moved", "deleted", "another in its place"])
def test_a_run_whose_directory_is_gone_writes_nothing_more(fate, tmp_path):
    place = tmp_path / "run"
    with directory.open_run(place, Config()) as check:
        check()
        if fate == "deleted":
            shutil.rmtree(place)
        else:
            place.rename(tmp_path / "elsewhere")
        if fate == "another in its place":
            with directory.open_run(place, Config(seed=1)):
                pass
        with pytest.raises(InputError, match="was moved or deleted while a run was training in it"):
            check()
