"""The programs that race, each in a process of its own, and the machine that they run on."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO

from benchmarks import ROOT
from jaxae.errors import InputError
from jaxae.runs.environment import cpu

RACERS = {
    "jaxae": "jaxae",
    "plain": "PyTorch, plain: DataLoader, AdamW as it comes",
    "tuned": "PyTorch, tuned: tensors in memory, fused AdamW",
    "compiled": "PyTorch, compiled: tuned, with torch.compile",
    "jaxae bfloat16": "jaxae, `--matmul-dtype bfloat16`",
    "tuned bfloat16": "PyTorch, tuned, autocast to bfloat16",
}
"""Names and what a table calls them."""


class Worker:
    """A process of benchmarks.speed.speed_worker, which waits until it is asked.

    Arguments:
        name: One of RACERS, "N models", "ceiling-jaxae" or "ceiling-pytorch".
        dataset: The data to train on.
        environment: Environment variables of this process alone.
    """

    def __init__(
        self, name: str, dataset: str, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.speed_worker", name, dataset],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )

    def ask(self) -> list[float]:
        """Return the next answer: none when the worker is ready, then milliseconds each time.

        Raises InputError where the process has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print("go", file=self.process.stdin, flush=True)
        except BrokenPipeError:
            answer = ""
        else:
            answer = self.process.stdout.readline()

        if not answer:
            raise InputError(f"The racer {self.name} has ended: {last_line(self.errors)}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def last_line(said: IO[str]) -> str:
    """Return the last line that a process wrote into a file, at most 300 characters."""
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def machine() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    return f"{cpu()['model']}, {len(os.sched_getaffinity(0))} cores"
