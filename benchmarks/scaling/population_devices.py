"""What a population gains on a CPU from one device a core, beside one device of all cores: the two in turn, in one process."""

import os
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.speed.racers import machine
from benchmarks.speed.speed_worker import prepare
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown
from jaxae.train.sharding import Placement, make_placement

STEPS = 24


def main(config: Config, rounds: int = 7, members: tuple[int, ...] = (2, 4, 8, 16, 32, 64)) -> None:
    """Prints model·images a second of populations that both ways of using the cores train. Wants at least two cores.

    Args:
        config: The recipe.
        rounds: Laps of 24 steps of each program; the medians count.
        members: How many models.
    """
    cores = len(os.sched_getaffinity(0))
    if rounds < 1:
        raise InputError(f"rounds is {rounds}: give 1 or more")
    if cores < 2:
        raise InputError("this process may use one core: give it more")
    jax.config.update("jax_num_cpu_devices", cores)
    if jax.default_backend() != "cpu":
        raise InputError(f"JAX computes on a {jax.default_backend()} here: set JAX_PLATFORMS=cpu")
    images = load_dataset(config.dataset, report=messages.say).train.images[
        : STEPS * config.batch_size
    ]
    rows = []
    for count in members:
        shared = make_placement("auto", members=count, batch_size=config.batch_size)
        one, several = (
            lap(config, images, count, placement) for placement in (Placement(), shared)
        )
        seconds = [(one(), several()) for _ in range(rounds + 1)][1:]  # the first is slower
        rates = [count * config.batch_size / np.median(each) for each in zip(*seconds, strict=True)]
        low, middle, high = np.quantile([a / b for a, b in seconds], [0.25, 0.5, 0.75])
        gain = f"{middle:.2f} ({low:.2f}–{high:.2f})"
        rows.append([str(count), *(f"{rate:,.0f}" for rate in rates), str(shared.size), gain])
        messages.say(" | ".join(rows[-1]))
    print(f"{machine()}\n")
    print(
        markdown(
            [
                "models",
                "one device, model·images/s",
                "several",
                "how many",
                "gain, median of ratios (quartiles)",
            ],
            rows,
        )
    )


def lap(
    config: Config, images: np.ndarray, members: int, placement: Placement
) -> Callable[[], float]:
    """A function that takes the next steps and returns seconds a step."""
    run, state = prepare(config, images, seeds=members, placement=placement)

    def take() -> float:
        nonlocal state
        began = time.perf_counter()
        state, losses = run(state)
        losses.block_until_ready()
        return (time.perf_counter() - began) / losses.shape[1]

    return take


if __name__ == "__main__":
    command.run(main)
