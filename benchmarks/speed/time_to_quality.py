"""Measure the seconds until the validation loss is as low as asked, of jaxae and of PyTorch."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import NamedTuple

from benchmarks import ROOT
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown

PROGRAMS = {
    "jaxae": "jaxae train",
    "PyTorch": (
        "benchmarks.speed.torch_peer --average-decay 0 --statistics-images 0 --narrow-shift 0 "
        "--dropout-epochs 300 --learning-rate 1e-3 --epochs 100"
    ),
}
"""PyTorch has the recipe as it reads, without what jaxae adds to it, at a rate that suits that."""

LINE = re.compile(r"epoch +(\d+)/.* validation ([\d.]+)")


class Reached(NamedTuple):
    """When a loss was first reached."""

    seconds: float
    epoch: int


def main(seeds: int = 5, targets: tuple[float, ...] = (0.112, 0.108, 0.106)) -> None:
    """Train until the lowest target: each seed with jaxae, then with PyTorch, 100 epochs at most.

    Seconds count from the start of the process. PyTorch has its own first weights.

    Args:
        seeds: Number of seeds, from 0.
        targets: Validation losses (MSE + L1 at noise 0.25).
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install -e '.[torch]' brings it")

    targets = tuple(sorted(set(targets), reverse=True))
    runs: dict[str, list[dict[float, Reached]]] = {name: [] for name in PROGRAMS}
    for seed in range(seeds):
        for name in PROGRAMS:
            found = race(name, seed, targets)
            runs[name].append(found)
            each = ", ".join(f"{target:g} {show(found.get(target))}" for target in targets)
            messages.say(f"seed {seed}, {name}: {each}")

    rows = []
    for target in targets:
        for name, found_by_seed in runs.items():
            times = [found.get(target) for found in found_by_seed]
            middle = median(float("inf") if each is None else each.seconds for each in times)
            usual = f"{middle:.0f} s" if middle < float("inf") else "not reached"
            rows.append([f"{target:g}", name, usual, ", ".join(map(show, times))])
    print(markdown(["validation loss", "", "median", "each seed: seconds (epochs)"], rows))


def show(reached: Reached | None) -> str:
    """Return whole seconds and epochs, or a dash if the run ended before."""
    return f"{reached.seconds:.0f} ({reached.epoch})" if reached else "–"


def race(name: str, seed: int, targets: tuple[float, ...]) -> dict[float, Reached]:
    """Train until the validation loss has been at every target. Return when it first was."""
    found: dict[float, Reached] = {}
    last = ""
    with tempfile.TemporaryDirectory() as place:
        words = [*PROGRAMS[name].split(), "--seed", str(seed)]
        if name == "jaxae":
            words += ["--run-dir", f"{place}/run"]
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        with process:
            for line in process.stderr or ():
                last = line
                match = LINE.search(line)
                if not match:
                    continue
                now = Reached(time.perf_counter() - began, int(match[1]))
                for target in targets:
                    if float(match[2]) <= target:
                        found.setdefault(target, now)
                if len(found) == len(targets):
                    process.kill()

    if process.returncode and len(found) < len(targets):
        raise InputError(f"{name} failed: {last.strip()}")
    return found


if __name__ == "__main__":
    command.run(main)
