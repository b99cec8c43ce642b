"""Measure how a step's time grows with models, batch size, width and processes."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks import ROOT
from benchmarks.speed.racers import machine
from benchmarks.speed.stepper import Stepper
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown


class Size(NamedTuple):
    """What a program trains."""

    models: int = 1
    batch: int = 128
    width: float = 1.0
    """Times the recipe's widths."""


SIZES = list(
    dict.fromkeys(
        [
            *(Size(models=models) for models in (1, 2, 4, 8, 16, 32, 64)),
            *(Size(batch=batch) for batch in (64, 128, 256, 512, 1024, 2048, 4096)),
            *(Size(width=width) for width in (0.25, 0.5, 1.0, 2.0, 4.0)),
        ]
    )
)
SHARED: dict[str, tuple[str, ...]] = {
    "two models, one each": ("--seeds", "2", "--steps", "100"),
    "four models, two each": ("--seeds", "4", "--steps", "50"),
    "a batch of 128, half each": ("--steps", "30"),
    "a batch of 2048, half each": ("--batch-size", "2048", "--steps", "15"),
}
"""What one process does alone and two do together: the options of processes_worker.py."""


def main(config: Config, rounds: int = 3) -> None:
    """Time programs of every size in turn, then one process against two with a core each.

    Args:
        config: The recipe; its batch size and seed are not used.
        rounds: Measurements of each size; the medians count.
    """
    dataset = load_dataset(config.dataset, report=messages.say)
    print(f"{machine()}; {dataset.title}; medians of {rounds} rounds.\n")
    print(sizes_table(time_sizes(config, dataset.train.images, rounds)))

    rows = []
    for name, options in SHARED.items():
        one, two = time_processes(options)
        rows.append([name, f"{1e3 * one:.1f}", f"{1e3 * two:.1f}", f"× {one / two:.2f}"])
    print()
    print(markdown(["", "one process, one core: ms a step", "two, one core each", "gain"], rows))


def time_sizes(config: Config, images: np.ndarray, rounds: int) -> dict[Size, float]:
    """Return the median seconds a step of each size."""
    steppers = {}
    for size in SIZES:
        steppers[size] = stepper(config, images, size)
        steppers[size].lap()  # the first is slower
        messages.say(f"compiled: {size}")

    laps: dict[Size, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            laps[size].append(steppers[size].lap())
    return {size: median(each) for size, each in laps.items()}


def stepper(config: Config, images: np.ndarray, size: Size) -> Stepper:
    """Return a program of enough steps, at least 24, that the cost of calling it does not count."""
    work = size.models * size.batch * size.width**2
    steps = int(np.clip(15_000 / work, 24, 1000))
    data = np.resize(images, (steps * size.batch, *images.shape[1:]))
    widths = tuple(max(1, round(width * size.width)) for width in config.widths)
    recipe = replace(config, batch_size=size.batch, widths=widths)
    return Stepper(recipe, data, members=size.models)


def sizes_table(seconds: dict[Size, float]) -> str:
    """Return the times in Markdown."""
    rows = []
    for size, each in seconds.items():
        numbers = [str(size.models), str(size.batch), f"×{size.width:g}"]
        rate = size.models * size.batch / each
        rows.append([*numbers, f"{1e3 * each:.2f}", f"{rate:,.0f}"])
    return markdown(["models", "batch", "width", "ms a step", "model·images/s"], rows)


def time_processes(options: tuple[str, ...]) -> tuple[float, float]:
    """Return seconds a step by one process with one core, and by two with a core each."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise InputError("this process may use one core: give it two")
    return run_processes(options, cores[:1]), run_processes(options, cores)


def run_processes(options: tuple[str, ...], cores: list[int]) -> float:
    """Return seconds a step by processes with one core each. Raises InputError if one fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    environment = os.environ | {"NPROC": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    running = []
    for number, core in enumerate(cores):
        words = ["taskset", "-c", str(core), sys.executable]
        words += ["-m", "benchmarks.scaling.processes_worker", *options]
        if len(cores) > 1:
            words += ["--coordinator", f"127.0.0.1:{port}"]
            words += ["--processes", str(len(cores)), "--process-id", str(number)]
        running.append(
            subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        )

    try:
        said = [process.communicate()[0] for process in running]
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        raise InputError(f"A process with {' '.join(options)} has failed: see above")
    return float(said[0])


if __name__ == "__main__":
    command.run(main)
