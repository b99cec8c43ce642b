"""How a step's time grows with seeds, batch size, width and processes, beside a model of its cost → tables, scaling.png."""

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.scaling.scaling_figure import draw
from benchmarks.speed.racers import machine
from benchmarks.speed.speed_worker import prepare
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.model import WIDTHS
from jaxae.data.load import load_dataset
from jaxae.errors import InputError

Size = tuple[int, int, float]
"""Seeds, batch size, times the default's widths."""
CORNERS: list[Size] = [(1, 8, 0.25), (1, 8, 4.0), (1, 4096, 0.25), (1, 4096, 1.0)]
"""What the model's four constants are taken from: steps of nearly nothing, of weights, of pixels, of products."""
SWEEPS: dict[str, list[Size]] = {
    "seeds": [(seeds, 128, 1.0) for seeds in (1, 2, 4, 8, 16, 32, 64)],
    "batch size": [(1, batch, 1.0) for batch in (64, 128, 256, 512, 1024, 2048, 4096)],
    "width": [(1, 128, factor) for factor in (0.25, 0.5, 1.0, 2.0, 4.0)],
}
SHARED: dict[str, tuple[str, ...]] = {
    "two models, one each": ("--seeds", "2", "--steps", "100"),
    "four models, two each": ("--seeds", "4", "--steps", "50"),
    "a batch of 128, half each": ("--steps", "30"),
    "a batch of 2048, half each": ("--batch-size", "2048", "--steps", "15"),
}
"""What one process does alone and two do together, and the options of processes_worker.py for it."""
BYTES_A_WEIGHT = 4 * 10
"""Gradient written and read; weight, AdamW's two moments and the average read and written: float32."""


def main(config: Config, rounds: int = 3) -> None:
    """Times programs of every size in turn, round by round; then one process against two of one core each. Wants two cores.

    Args:
        config: The recipe; its batch size and seed are not used.
        rounds: Measurements of each size; the medians count.
    """
    dataset = load_dataset(config.dataset, report=messages.say)
    sizes = list(dict.fromkeys([*CORNERS, *itertools.chain(*SWEEPS.values())]))
    programs = {}
    for size in sizes:
        programs[size] = program(config, dataset.train.images, size)
        programs[size]()  # the first is slower
        messages.say(f"compiled for {size[0]} seeds, batches of {size[1]}, width ×{size[2]:g}")
    laps: dict[Size, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, run in programs.items():
            laps[size].append(run())
    seconds = {size: median(each) for size, each in laps.items()}
    constants = np.linalg.solve(
        [cost(size) for size in CORNERS], [seconds[size] for size in CORNERS]
    )
    predicted = {size: float(np.dot(cost(size), constants)) for size in sizes}
    once, image, product, byte = constants
    each = f"{image * 1e6:.2f} µs an image, 1 s for {1e-9 / product:.0f} GFLOP, 1 s for {1e-9 / byte:.0f} GB"
    print(f"The model: {once * 1e3:.2f} ms a step; of each model in it {each}.\n")
    print(
        "| | | ms a step | the model says | ms a step and model | images/s | model·images/s | GFLOP/s |\n"
        + "|---" * 8
        + "|"
    )
    for name, sweep in SWEEPS.items():
        for size in sweep:
            label = f"{name} | {'×' if name == 'width' else ''}{size[list(SWEEPS).index(name)]:g}"
            ms, said, rate = seconds[size] * 1e3, predicted[size] * 1e3, size[1] / seconds[size]
            each = (
                f"{ms:.2f} | {said:.2f} | {ms / size[0]:.2f} | {rate:,.0f} | {size[0] * rate:,.0f}"
            )
            print(f"| {label} | {each} | {cost(size)[2] / seconds[size] / 1e9:.0f} |")
    print("\n| | one process, one core: ms a step | two, one core each | gain |\n|---|---|---|---|")
    path = Path(__file__).with_name(
        "scaling.png" if dataset.name == "fashion_mnist" else "scaling-SYNTHETIC.png"
    )
    draw(SWEEPS, seconds, predicted, time_processes(), machine()).savefig(path, dpi=120)
    messages.say(f"Wrote {path}")


def cost(size: Size) -> tuple[float, float, float, float]:
    """What the constants multiply: the step; its images; the operations of its matrix products; the bytes of its weights."""
    seeds, batch, factor = size
    weights = [a * b for a, b in itertools.pairwise([28 * 28, *scaled(factor), 2])]
    flop = (
        2 * batch * (3 * 2 * sum(weights) - weights[0])
    )  # two a weight; forward, and twice back; none to the input
    return (
        1.0,
        float(seeds * batch),
        float(seeds * flop),
        float(seeds * 2 * sum(weights) * BYTES_A_WEIGHT),
    )


def scaled(factor: float, widths: tuple[int, ...] = WIDTHS) -> tuple[int, ...]:
    """The hidden layers' widths times a factor."""
    return tuple(max(1, round(width * factor)) for width in widths)


def program(config: Config, images: np.ndarray, size: Size) -> Callable[[], float]:
    """So many steps that a call's own cost is lost in them; each call goes on from the last. Returns seconds a step."""
    seeds, batch, factor = size
    steps = int(np.clip(1e11 // cost(size)[2], 24, 1000))
    data = np.resize(images, (steps * batch, *images.shape[1:]))
    run, state = prepare(
        replace(config, batch_size=batch, widths=scaled(factor, config.widths)), data, seeds=seeds
    )

    def lap() -> float:
        nonlocal state
        began = time.perf_counter()
        state, losses = run(state)
        losses.block_until_ready()
        return (time.perf_counter() - began) / steps

    return lap


def time_processes() -> dict[str, tuple[float, float]]:
    """What two processes with a core each have to do → seconds a step by one process with one core, and by both."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    seconds = {}
    for name, options in SHARED.items():
        seconds[name] = race(options, cores[:1]), race(options, cores)
        one, two = (1e3 * each for each in seconds[name])
        print(f"| {name} | {one:.1f} | {two:.1f} | × {one / two:.2f} |")
    return seconds


def race(options: tuple[str, ...], cores: list[int]) -> float:
    """Seconds a step by processes with one core each. Raises InputError where one fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.scaling.processes_worker", *options]
    together = [
        "--coordinator",
        f"127.0.0.1:{port}",
        "--processes",
        str(len(cores)),
        "--process-id",
    ]
    environment = os.environ | {"NPROC": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    running = []
    for number, core in enumerate(cores):
        mine = [
            "taskset",
            "-c",
            str(core),
            *command,
            *([*together, str(number)] if len(cores) > 1 else []),
        ]
        running.append(subprocess.Popen(mine, env=environment, stdout=subprocess.PIPE, text=True))
    try:
        said = [process.communicate()[0] for process in running]
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        raise InputError(f"A process of {' '.join(command)} has failed: see what it says above")
    return float(said[0])


if __name__ == "__main__":
    command.run(main)
