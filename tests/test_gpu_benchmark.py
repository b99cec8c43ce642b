"""The command that measures a GPU, tried on a CPU with small sizes: it must not fail there for a reason of its own."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.gpu import gpu
from jaxae.errors import InputError


@pytest.mark.skipif(
    "JAXAE_ALL_PARTS" not in os.environ, reason="takes two to ten minutes: set JAXAE_ALL_PARTS=1"
)
@pytest.mark.slow
def test_every_part_is_measured_and_none_is_made_up(tmp_path):
    file = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu.gpu", "--json", str(file), "--small"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=1500,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    parts = found["parts"]
    assert list(parts) == list(gpu.BUDGETS)
    assert [name for name, record in parts.items() if "error" in record] == []
    assert all(
        0 < record["seconds"] < gpu.PATIENCE * gpu.BUDGETS[name] for name, record in parts.items()
    )
    assert parts["device"]["platform"] == "cpu"
    assert parts["device"]["kind"] == "cpu"
    assert "peak_memory_mb" not in json.dumps(parts)  # which a CPU does not tell
    assert [row["members"] for row in parts["members"]["rows"]] == [1, 2]
    assert parts["train"]["finished"] is True
    assert parts["train"]["epochs"] == 2
    assert "SYNTHETIC" in parts["train"]["data"]
    assert 0.001 < parts["train"]["test"]["mse"] < 0.2  # a grey image would have 0.1 or so
    assert parts["bits"]["same"] is True
    assert parts["export"]["largest_difference"]["device"] < 1e-4
    assert parts["tests"].get("passed", 0) == 0
    assert parts["tests"]["skipped"] == 2
    assert "graphed" not in parts["race"]["ms_a_step"]  # which needs CUDA
    if "left_out" not in parts["race"]:
        assert parts["race"]["ms_a_step"].keys() == {"jaxae", "tuned"}
    assert [(row["batch_size"], row["width"]) for row in parts["batch_and_width"]["rows"]] == [
        (64, 1.0),
        (32, 2.0),
    ]
    assert [parts["checkpoint"][f"leg_{leg}"]["on"] for leg in (1, 2, 3)] == ["cpu"] * 3
    for text in ("small sizes, which say nothing", "cpu (cpu)", "the same bits", "2 skipped"):
        assert text in done.stdout


def test_a_part_that_fails_is_recorded_and_stops_no_other(tmp_path, monkeypatch, capsys):
    """One that is over its budget, then one that is not."""
    monkeypatch.setattr(gpu, "BUDGETS", {"race": 0.04, "device": 60})
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    with pytest.raises(InputError, match=r"1 of 2 parts failed \(race\)"):
        gpu.main(tmp_path / "gpu.json", small=True, parts=("race", "device"))
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["race"]["error"] == "stopped after 0.2 s, its budget"
    assert parts["device"]["kind"] == "cpu"
    assert "stopped after 0.2 s" in capsys.readouterr().out


def test_a_part_that_crashes_leaves_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PARTS", "crashing_part")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "crashing_part.py").write_text(
        "print('{\"kind\": \"x\"}', flush=True)\nraise SystemExit('no such driver')\n"
    )
    updates = list(gpu.watch("device", small=True, seconds=60, cache=str(tmp_path)))
    assert updates[:2] == [{"kind": "x"}, {"error": "exit code 1: no such driver"}]
