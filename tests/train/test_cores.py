"""A CPU's cores as devices: which --devices asks for, and a population that is shared out over
them.
"""

import os
import re
import subprocess
import sys

import pytest

from jaxae.train.sharding import even_share, take_cores
from tests import ROOT
from tests.cli.test_scripts import call, start

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SCRIPT = """
import sys
from jaxae.train.sharding import take_cores
from jaxae.train.sharding import make_placement
for devices, members in (sys.argv[1:3],):
    take_cores(devices, members=int(members))
    print(make_placement(devices, members=int(members), batch_size=60).size)
"""


@pytest.mark.parametrize(
    ("members", "most", "share"),
    [(1, 8, 1), (2, 2, 2), (3, 2, 1), (8, 6, 4), (6, 4, 3), (4, 64, 4)],
)
def test_every_device_gets_the_same_number_of_members(members, most, share):
    assert even_share(members, most) == share


@pytest.mark.parametrize(
    ("devices", "members", "flags", "expected"),
    [
        ("auto", 2, "", min(CORES, 2)),
        ("auto", 6, "--xla_force_host_platform_device_count=3", 3),
    ],
)
def test_a_cpu_is_as_many_devices_as_are_asked_for(devices, members, flags, expected):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, "-c", SCRIPT, devices, str(members)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=environment, cwd=ROOT
    )
    assert done.stdout == f"{expected}\n", done.stderr


@pytest.mark.skipif(CORES < 2, reason="one core alone")
@pytest.mark.parametrize(
    ("devices", "members", "expected"),
    [("auto", 1, []), ("1", 2, []), ("auto", 2, [2]), ("2", 1, [2])],
)
def test_jax_is_asked_for_devices_where_several_are_wanted(devices, members, expected, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr("jax.config.update", lambda name, value: asked.append(value))
    take_cores(devices, members=members)
    assert asked == expected


def test_where_jax_has_begun_nothing_changes():
    take_cores("auto", members=2)  # the tests use JAX already, on one device


@pytest.mark.slow
@pytest.mark.skipif(CORES < 2, reason="one core alone")
def test_a_population_takes_the_cores_by_itself_and_ends_as_on_one_device(tmp_path):
    """Losses within rounding, as the seeds differ by far more. The tests' process is one device."""
    words = ["train", "--dataset", "synthetic", "--seeds", "2", "--epochs", "1"]
    words += ["--widths", "64", "16", "--learning-rate", "1e-5"]
    with start(*words, "--run-dir", tmp_path / "auto") as process:
        _, several = process.communicate(timeout=200)
    assert process.returncode == 0, several
    code, _, one = call(*words, "--devices", "1", "--run-dir", tmp_path / "one")
    assert code == 0, one

    losses = []
    for said in (several, one):
        assert ("Compiled for 2 × cpu" in said) == (said is several)
        losses.append([float(loss) for loss in re.findall(r"^\|\s+\d.*?([\d.]+) \|$", said, re.M)])
    assert len(set(losses[0])) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
