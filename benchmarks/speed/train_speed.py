"""Race jaxae against PyTorch: milliseconds a step, and how far each is from the ceiling."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import tyro

from benchmarks import ROOT
from benchmarks.speed.racers import RACERS, Worker, machine
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown

CEILINGS = ("ceiling-jaxae", "ceiling-pytorch")


class Start(NamedTuple):
    """A start of `jaxae train` with an empty compilation cache."""

    first_line_s: float
    first_step_s: float
    peak_memory_mb: float


def main(
    rounds: int = 7,
    starts: int = 3,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Race whole epochs of the default recipe: data in memory, no validation, no checkpoint.

    Args:
        rounds: Epochs of each racer, in turn; the medians count.
        starts: Starts of `jaxae train`, for the time to its first step and its memory.
        json_file: File to write the figures to.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install -e '.[torch]' brings it")
    if min(rounds, starts) < 1:
        raise InputError(f"rounds is {rounds} and starts {starts}: give 1 or more")

    dataset = load_dataset("auto", report=messages.say)
    laps = race(dataset.name, rounds)
    ms = {name: median(each[0] for each in laps[name]) for name in RACERS}
    # Of each product the best case, not the usual one.
    products = [[min(times) for times in zip(*laps[name], strict=True)] for name in CEILINGS]
    ceiling = sum(min(times) for times in zip(*products, strict=True))

    print(f"{machine()}; {dataset.title}; medians of {rounds} rounds.\n")
    print(table(ms, ceiling))

    begun = [start(dataset.name) for _ in range(starts)]
    usual = Start(*(median(values) for values in zip(*begun, strict=True)))
    print(
        f"\njaxae train: first line after {usual.first_line_s:.1f} s,"
        f" first step after {usual.first_step_s:.1f} s,"
        f" peak memory {usual.peak_memory_mb:.0f} MB"
    )

    if json_file:
        found = {
            "data": dataset.title,
            "machine": machine(),
            "ms_per_step": ms,
            "ceiling_ms": ceiling,
            "start": usual._asdict(),
            "rounds": {name: [each[0] for each in laps[name]] for name in RACERS},
        }
        json_file.write_text(json.dumps(found, indent=2) + "\n")


def race(dataset: str, rounds: int) -> dict[str, list[list[float]]]:
    """Return the answers of every racer, and of the two that time the products, round by round."""
    workers = {name: Worker(name, dataset) for name in (*RACERS, *CEILINGS)}
    for worker in workers.values():
        worker.ask()
    messages.say("All racers have started.")

    laps: dict[str, list[list[float]]] = {name: [] for name in workers}
    for number in range(1, rounds + 1):
        for name, worker in workers.items():
            laps[name].append(worker.ask())
        each = ", ".join(f"{name} {laps[name][-1][0]:.2f}" for name in RACERS)
        messages.say(f"round {number}/{rounds}: {each} ms a step")

    for worker in workers.values():
        worker.close()
    return laps


def table(ms: dict[str, float], ceiling: float) -> str:
    """Return the race in Markdown."""
    batch = Config().batch_size
    rows = [
        [
            RACERS[name],
            f"{each:.2f}",
            f"{1000 * batch / each:,.0f}",
            f"{each / ms['jaxae']:.2f}",
            f"{ceiling / each:.0%}",
        ]
        for name, each in ms.items()
    ]
    last = ["the ceiling: a step's matrix products alone, in float32", f"{ceiling:.2f}"]
    columns = ["", "ms a step", "images/s", "times jaxae's", "share of the ceiling"]
    return markdown(columns, [*rows, [*last, "", "", "100%"]])


def start(dataset: str) -> Start:
    """Start `jaxae train` for two epochs. Return when it got where, and its memory."""
    seconds: list[float] = []
    compiled = 0.0
    environment = {
        name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name
    }
    with tempfile.TemporaryDirectory() as place:
        words = ["--dataset", dataset, "--epochs", "2", "--run-dir", f"{place}/run"]
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "jaxae", "train", *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        for line in process.stderr or ():
            seconds.append(time.perf_counter() - began)
            if line.startswith("Compiled"):  # the first step follows within milliseconds
                compiled = seconds[-1]
        _, status, usage = os.wait4(process.pid, 0)

    if status:
        raise InputError("jaxae train failed: run it by hand to see why")
    return Start(seconds[0], compiled, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    command.run(main)
