"""The programs that race: their names, the processes they run in, and the machine they run on."""

import json
import os
import subprocess
import sys
import tempfile
from typing import IO, Any

from jaxae.errors import InputError
from jaxae.runs.environment import cpu

RACERS = ("jaxae", "plain", "tuned", "compiled", "jaxae bfloat16", "tuned bfloat16")
LABELS = {
    "jaxae": "jaxae",
    "plain": "PyTorch, plain: DataLoader, AdamW as it comes",
    "tuned": "PyTorch, tuned: tensors in memory, fused AdamW",
    "compiled": "PyTorch, compiled: tuned, with torch.compile",
    "jaxae bfloat16": "jaxae, `--matmul-dtype bfloat16`",
    "tuned bfloat16": "PyTorch, tuned, autocast to bfloat16",
    "graphed": "PyTorch, graphed: tuned, the step as one CUDA graph",  # of gpu.py alone: it needs CUDA
}


class Worker:
    """A process that answers each line with a line of JSON, and otherwise waits."""

    def __init__(self, name: str, dataset: str) -> None:
        self.command = [
            sys.executable,
            "-m",
            "benchmarks.speed.speed_worker",
            name,
            dataset,
        ]
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)
        pipes: Any = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": self.said,
            "text": True,
        }
        self.process = subprocess.Popen(self.command, **pipes)

    def ask(self) -> Any:
        """The answer to 'go on'."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print("go", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise InputError(f"{' '.join(self.command)} has ended: {last_line(self.said)}")
        return json.loads(answer)


def last_line(said: IO[str]) -> str:
    """The last line that a process wrote into a file, shortened."""
    said.seek(0)
    return next(
        (line.strip()[:300] for line in reversed(said.readlines()) if line.strip()),
        "it said nothing",
    )


def machine() -> str:
    """The processor's name and the cores that this process may use."""
    return f"{cpu()['model']}, {len(os.sched_getaffinity(0))} cores"
