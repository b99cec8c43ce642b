"""The command that measures a GPU, tried on a CPU: no reason of its own may make it fail there."""

import json
import subprocess
from typing import Any

import pytest

from benchmarks.gpu import measure
from jaxae.errors import InputError
from tests.cli.test_scripts import call


@pytest.mark.slow
def test_the_cpu_against_itself_trains_the_same_and_each_racer_has_a_row(
    tmp_path, capsys, monkeypatch
):
    """One that fails says why, and stops no other. Trainings run here, of a small model."""

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, *call(*words[3:], "--widths", "64", "16"))

    monkeypatch.setattr(measure.subprocess, "run", run)
    measure.main(
        tmp_path / "gpu.json",
        platform="cpu",
        dataset="synthetic",
        epochs=1,
        rounds=1,
        racers=(),
        models=(0, 2),
    )
    found = json.loads((tmp_path / "gpu.json").read_text())
    cpu, device = found["trained"]["cpu"], found["trained"]["device"]
    assert cpu["device"] == device["device"] == "cpu"
    assert cpu["validation_losses"] == device["validation_losses"]
    assert len(found["trained"]["moved"]["validation_losses"]) == 2

    races = found["ms_per_step"]
    assert list(races) == ["jaxae, on the CPU", "0 models", "2 models"]
    assert races["0 models"]["ms"] is None
    assert all(each["ms"] > 0 for name, each in races.items() if name != "0 models")
    shown = capsys.readouterr().out
    assert "| 0.00% |" in shown
    assert "seeds is 0: give 1 or more" in races["0 models"]["error"]
    assert races["0 models"]["error"] in shown


def test_an_unknown_racer_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match="graphed is not a racer: there are jaxae, plain"):
        measure.main(tmp_path / "gpu.json", platform="cpu", racers=("graphed",))


def test_losses_that_rounding_cannot_explain_are_an_error():
    cpu = measure.Trained("cpu", 1.0, [0.13, 0.12])
    measure.check_losses(cpu, cpu._replace(validation_losses=[0.14, 0.119]))
    with pytest.raises(InputError, match=r"differ by 16.7%"):
        measure.check_losses(cpu, cpu._replace(validation_losses=[0.13, 0.14]))


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"jaxae train failed on nonsense: error: .*nonsense"):
        measure.train(tmp_path / "run", "nonsense", "synthetic", 1)
