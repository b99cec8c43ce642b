"""What more models in one program cost: throughput against the number of seeds → a table."""

import functools
import time
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
from growth import flop_per_image

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli
from jaxae.config import Config
from jaxae.data import load
from jaxae.epoch import compile_epoch
from jaxae.model import WIDTHS
from jaxae.population import recipes
from jaxae.rng import root_key
from jaxae.state import build_parts, init_state, stack_members

SEEDS = (1, 2, 4, 8, 16, 32, 64)


def main(config: Config, steps: int = 12, rounds: int = 5) -> None:
    """Times short epochs of the compiled programs, each number of seeds in turn, round by round.

    Args:
        config: The recipe.
        steps: Steps of one measurement.
        rounds: Measurements of each; the medians count.
    """
    dataset = load(config.dataset, report=cli.say)
    images = jnp.asarray(dataset.train.images[: steps * config.batch_size])
    programs = {}
    laps: dict[int, list[float]] = {count: [] for count in SEEDS}
    for count in SEEDS:
        programs[count] = prepare(config, images, count)
        programs[count]()  # the first is slower
        cli.say(f"compiled for {count}")
    for _ in range(rounds):
        for count, run in programs.items():
            began = time.perf_counter()
            run()
            laps[count].append((time.perf_counter() - began) / steps)
    milliseconds = {count: 1000 * median(times) for count, times in laps.items()}
    print("| seeds | ms a step | ms a step and model | images/s | model·images/s | times one model's | GFLOP/s |")
    print("|---|---|---|---|---|---|---|")
    for count, ms in milliseconds.items():
        rate = config.batch_size / ms * 1000
        gain, speed = count * milliseconds[1] / ms, count * rate * flop_per_image(WIDTHS) / 1e9
        print(f"| {count} | {ms:.2f} | {ms / count:.2f} | {rate:,.0f} | {count * rate:,.0f} | {gain:.2f} | {speed:.0f} |")


def prepare(config: Config, images: jax.Array, count: int):
    """A function that runs the compiled epoch of so many seeds once, and goes on from there the next time."""
    configs, several = recipes(config, seeds=count), count > 1
    fresh = jax.jit(functools.partial(init_state, parts=build_parts(config)))
    state = stack_members([fresh(root_key(c.seed, impl=c.prng_impl)) for c in configs])
    program = compile_epoch(config, state, images, values={}, several=several)
    running = np.ones(count, bool) if several else np.True_

    def run() -> None:
        nonlocal state
        state, losses = program(state, {}, running, images)
        losses.block_until_ready()

    return run


if __name__ == "__main__":
    cli.run(main)
