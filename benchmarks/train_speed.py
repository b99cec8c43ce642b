"""Trains jaxae and its PyTorch peers in turn, each in its own process: who is how fast, and how far from the ceiling."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import tyro

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli
from jaxae.config import Config

HERE = Path(__file__).parent
RACERS = ("jaxae", "plain", "tuned", "compiled")
LABELS = {
    "jaxae": "jaxae",
    "plain": "PyTorch, plain: DataLoader, AdamW as it comes",
    "tuned": "PyTorch, tuned: tensors in memory, fused AdamW",
    "compiled": "PyTorch, compiled: tuned, with torch.compile",
}


def main(rounds: int = 7, starts: int = 3, json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> None:
    """Races whole epochs: the default recipe, data in memory, no validation, no checkpoint.

    Args:
        rounds: Epochs of each racer, in turn; the medians count.
        starts: Starts of scripts/train.py, for the times from its start and its memory.
        json_file: File to write the figures to.
    """
    config = Config()
    crews, first = {}, {}
    for name in (*RACERS, "ceiling-jaxae", "ceiling-pytorch"):
        began = time.perf_counter()
        crews[name] = Worker(name)
        crews[name].ask()
        first[name] = time.perf_counter() - began
    cli.say("All racers have started; racing.")
    times: dict[str, list[Any]] = {name: [] for name in crews}
    for lap in range(rounds):
        for name, worker in crews.items():
            times[name].append(worker.ask())
        cli.say(f"round {lap + 1}/{rounds}: " + ", ".join(f"{name} {times[name][-1]:.2f}" for name in RACERS) + " ms a step")
    begun = [start() for _ in range(starts)]
    ms = {name: median(times[name]) for name in RACERS}
    products = zip(*(zip(*times[name], strict=True) for name in crews if name.startswith("ceiling")), strict=True)
    ceiling = sum(min(median(ours), median(theirs)) for ours, theirs in products)
    result = {
        "machine": machine(),
        "ms_per_step": ms["jaxae"],
        "images_per_s": config.batch_size / ms["jaxae"] * 1000,
        **{f"ratio_{name}": ms[name] / ms["jaxae"] for name in ("plain", "compiled")},
        "ratio_tuned": min(ms["tuned"], ms["compiled"]) / ms["jaxae"],
        "ceiling_ms": ceiling,
        "ceiling_share": ceiling / ms["jaxae"],
        **{name: median(each[name] for each in begun) for name in begun[0]},
        "rounds": {name: times[name] for name in RACERS},
    }
    print(table(ms, first, result, config.batch_size))
    if json_file:
        json_file.write_text(json.dumps(result, indent=2) + "\n")


class Worker:
    """A process that answers each line with a line of JSON, and otherwise waits."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, str(HERE / "speed_worker.py"), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> Any:
        """The answer to 'go on'."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print("go", file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline() or sys.exit("A racer has died; its message is above."))


def start() -> dict[str, float]:
    """Runs scripts/train.py for two epochs, as a user would: seconds to its first line and first step, peak memory."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, str(HERE.parent / "scripts/train.py"), "--epochs", "2", "--run-dir", f"{place}/run"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        at = {line.split()[0]: time.perf_counter() - began for line in process.stderr}
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    # The step itself, some milliseconds, begins when the line "Compiled …" has been printed.
    return {"first_line_s": min(at.values()), "first_step_s": at["Compiled"], "peak_memory_mb": usage.ru_maxrss / 1024}


def machine() -> str:
    """The processor's name and the cores that this process may use."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return f"{names[0]}, {len(os.sched_getaffinity(0))} cores"


def table(ms: dict[str, float], first: dict[str, float], result: dict[str, Any], batch_size: int) -> str:
    """The figures in Markdown."""
    rows = [
        f"| {LABELS[name]} | {ms[name]:.2f} | {batch_size / ms[name] * 1000:,.0f} | {ms[name] / ms['jaxae']:.2f} "
        f"| {result['ceiling_ms'] / ms[name]:.0%} | {first[name]:.1f} |"
        for name in RACERS
    ]
    return "\n".join(
        [
            f"{result['machine']}; medians of {len(result['rounds']['jaxae'])} rounds.",
            "",
            "| | ms a step | images/s | times jaxae's | share of the ceiling | first step after |",
            "|---|---|---|---|---|---|",
            *rows,
            f"| the ceiling: a step's matrix products alone | {result['ceiling_ms']:.2f} | | | 100% | |",
            "",
            "The ceiling takes each product from the faster of XLA and PyTorch, with its operands in the cache.",
            f"scripts/train.py: first line after {result['first_line_s']:.1f} s, first step after "
            f"{result['first_step_s']:.1f} s, peak memory {result['peak_memory_mb']:.0f} MB.",
        ]
    )


if __name__ == "__main__":
    cli.run(main)
