"""Work shared by eight devices, pretended ones on a CPU, against one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.train.sharding import make_layout
from tests import ROOT


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    command = [sys.executable, str(ROOT / "tests" / "train" / "eight_devices.py"), str(tmp_path_factory.mktemp("devices"))]
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env=environment | {"JAX_PLATFORMS": "cpu"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_fifty_losses_on_eight_devices_are_those_on_one(found):
    """Within rounding, which grows, and which a small learning rate keeps small; noise is a device's share of one draw."""
    one, eight = found["losses"]["1"], found["losses"]["8"]
    assert len(one) == 50
    assert len(set(one)) == 50
    np.testing.assert_allclose(eight[:5], one[:5], rtol=1e-5)
    np.testing.assert_allclose(eight, one, rtol=5e-4)
    assert found["all_reduces"] > 10  # the batch was shared out: statistics and gradients are summed over devices


@pytest.mark.slow
def test_members_on_eight_devices_end_as_on_one_and_load_there(found):
    eight, one = found["best"]
    np.testing.assert_allclose(eight, one, rtol=1e-3)
    assert found["loads_on_one"] == [True, True]


def test_a_layout_that_cannot_be_is_refused_in_one_line():
    assert make_layout(1, members=3, batch_size=7) is None
    for devices in (0, 99, "some", "-1"):
        with pytest.raises(InputError, match=f"--devices is {devices}"):
            make_layout(devices, members=1, batch_size=128)
