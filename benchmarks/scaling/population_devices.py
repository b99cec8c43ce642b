"""Measure what a population gains on a CPU from one device a core, against one of all cores."""

import os

import jax
import numpy as np

from benchmarks.speed.racers import machine
from benchmarks.speed.stepper import Stepper
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown
from jaxae.train.sharding import make_placement

STEPS = 24


def main(config: Config, rounds: int = 7, members: tuple[int, ...] = (2, 4, 8, 16, 32, 64)) -> None:
    """Train populations both ways in turn, and print model·images a second.

    Args:
        config: The recipe.
        rounds: Laps of 24 steps of each program; the medians count.
        members: Numbers of models.
    """
    cores = len(os.sched_getaffinity(0))
    if rounds < 1:
        raise InputError(f"rounds is {rounds}: give 1 or more")
    if cores < 2:
        raise InputError("this process may use one core: give it more")
    jax.config.update("jax_num_cpu_devices", cores)
    if jax.default_backend() != "cpu":
        raise InputError(f"JAX computes on a {jax.default_backend()} here: set JAX_PLATFORMS=cpu")

    dataset = load_dataset(config.dataset, report=messages.say)
    images = dataset.train.images[: STEPS * config.batch_size]
    rows = []
    for count in members:
        rows.append(compare(config, images, count, rounds))
        messages.say(" | ".join(rows[-1]))

    gain = "gain, median of ratios (quartiles)"
    print(f"{machine()}\n")
    print(markdown(["models", "one device, model·images/s", "several", "devices", gain], rows))


def compare(config: Config, images: np.ndarray, members: int, rounds: int) -> list[str]:
    """Return the row of a population of this size."""
    placement = make_placement("auto", members=members, batch_size=config.batch_size)
    one = Stepper(config, images, members=members)
    several = Stepper(config, images, members=members, placement=placement)
    one.lap()  # the first is slower
    several.lap()

    seconds = np.array([(one.lap(), several.lap()) for _ in range(rounds)])
    rates = members * config.batch_size / np.median(seconds, axis=0)
    low, middle, high = np.quantile(seconds[:, 0] / seconds[:, 1], [0.25, 0.5, 0.75])
    return [
        str(members),
        *(f"{rate:,.0f}" for rate in rates),
        str(placement.size),
        f"{middle:.2f} ({low:.2f}–{high:.2f})",
    ]


if __name__ == "__main__":
    command.run(main)
