"""A part of gpu.py: a process that writes lines of JSON with what it has found; the last one may be its error."""

import json
import os
import sys
import time
from collections.abc import Callable

from benchmarks.gpu import gpu_runs, gpu_speed
from benchmarks.gpu.gpu_speed import FULL, SMALL, Found, Sizes
from jaxae.errors import InputError, brief

PARTS: dict[str, Callable[[Sizes, float], Found]] = {
    "device": gpu_runs.device,
    "race": gpu_speed.race,
    "members": gpu_speed.members,
    "train": gpu_runs.train,
    "batch_and_width": gpu_speed.batch_and_width,
    "bits": gpu_runs.bits,
    "checkpoint": gpu_runs.checkpoint,
    "export": gpu_runs.export,
    "tests": gpu_runs.tests,
}
"""(how much to do, until when by time.monotonic) → what it finds, piece by piece."""


def main(name: str, seconds: str, small: str = "") -> int:
    """Runs a part. stdout has its lines alone: what libraries print there goes to stderr."""
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        for update in PARTS[name](SMALL if small else FULL, time.monotonic() + float(seconds)):
            print(json.dumps(update, allow_nan=False), file=own, flush=True)
    except Exception as error:  # whatever it is, the other parts go on
        print(
            json.dumps({"error": str(error) if isinstance(error, InputError) else brief(error)}),
            file=own,
            flush=True,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
