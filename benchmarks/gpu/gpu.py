"""What a GPU shows of jaxae, in one command that takes less than nine minutes: python -m benchmarks.gpu.gpu --json gpu.json.

Needs the project and its dependencies alone. What needs PyTorch, pytest or flatbuffers as well is left out where they are not
installed, and the table says so.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.gpu.gpu_table import table
from benchmarks.speed.racers import last_line, machine
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.runs import files

PARTS = "benchmarks.gpu.gpu_parts"
BUDGETS = {
    "device": 15,
    "race": 110,
    "members": 80,
    "train": 160,
    "batch_and_width": 40,
    "bits": 40,
    "checkpoint": 40,
    "export": 20,
    "tests": 30,
}
"""The parts, which gpu_parts.py lists, and the seconds after which each is stopped: 535 in all."""
PATIENCE = 5
"""How much longer small sizes may take: a CPU compiles slowly beside other work."""


def main(
    json_file: Annotated[Path, tyro.conf.arg(name="json")],
    *,
    small: bool = False,
    parts: tuple[str, ...] = tuple(BUDGETS),
) -> None:
    """Runs each part in a process of its own, then prints the table. A part that fails stops no other.

    Args:
        json_file: File to write the figures to; it is written anew after every figure.
        small: Small sizes, which try the command itself on a CPU.
        parts: Which parts to run, in this order.
    """
    if unknown := [name for name in parts if name not in BUDGETS]:
        raise InputError(f"--parts has {unknown[0]}: there are {', '.join(BUDGETS)}")
    records: dict[str, dict[str, Any]] = {name: {} for name in parts}
    found = {"machine": machine(), "small": small, "parts": records}
    files.write_json(json_file, found)  # a place that can't be written is refused now
    with tempfile.TemporaryDirectory() as empty:
        cache = (small and os.environ.get("JAX_COMPILATION_CACHE_DIR")) or empty
        for name in parts:
            seconds = BUDGETS[name] * (PATIENCE if small else 1)
            messages.say(f"{name}, at most {seconds:g} s")
            for update in watch(name, small=small, seconds=seconds, cache=cache):
                records[name] |= update
                files.write_json(json_file, found)
            messages.say(
                f"{name} {'failed' if 'error' in records[name] else 'done'} after {records[name]['seconds']:.1f} s"
            )
    print(table(found))
    if failed := [name for name, record in records.items() if "error" in record]:
        raise InputError(
            f"{len(failed)} of {len(parts)} parts failed ({', '.join(failed)}): {json_file} has their errors"
        )


def watch(name: str, *, small: bool, seconds: float, cache: str) -> Iterator[dict[str, Any]]:
    """Runs a part and yields what it finds, as it finds it; at last how long it took and, where it failed, its error."""
    asked = [
        sys.executable,
        "-m",
        PARTS,
        name,
        str(seconds),
        *(["small"] if small else []),
    ]
    began, late = time.perf_counter(), threading.Event()
    with tempfile.TemporaryFile("w+") as said:
        pipe: Any = {
            "stdout": subprocess.PIPE,
            "stderr": said,
            "text": True,
            "env": environment(cache),
        }
        with subprocess.Popen(asked, start_new_session=True, **pipe) as process:

            def stop() -> None:
                late.set()
                end(process)

            timer = threading.Timer(seconds, stop)
            timer.start()
            update: dict[str, Any] = {}
            try:
                for line in process.stdout or ():
                    yield (update := json.loads(line))
                code = process.wait()
            finally:
                timer.cancel()
                end(process)
        if late.is_set():
            yield {"error": f"stopped after {seconds:g} s, its budget"}
        elif code and "error" not in update:
            yield {"error": f"exit code {code}: {last_line(said)}"}
    yield {"seconds": round(time.perf_counter() - began, 1)}


def environment(cache: str) -> dict[str, str]:
    """Of a part: one device, whose memory is taken as it is needed, for several processes use it; one compilation cache."""
    own = {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "JAX_COMPILATION_CACHE_DIR": cache,
    }
    return {"CUDA_VISIBLE_DEVICES": "0"} | os.environ | own


def end(process: subprocess.Popen[str]) -> None:
    """Ends a part and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    command.run(main)
