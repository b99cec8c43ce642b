"""One of the processes that scaling.py times: trains together with the others, and the first prints seconds a step."""

import time
from dataclasses import replace

from benchmarks.speed.speed_worker import prepare
from jaxae.cli import command
from jaxae.cli import train as options
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import silent
from jaxae.train.sharding import make_placement


def main(
    config: Config, together: options.SeveralProcesses, seeds: int = 1, steps: int = 16
) -> None:
    """Times an epoch of so many steps, the second of two.

    Args:
        config: The recipe.
        together: The other processes.
        seeds: Models in one program.
        steps: Steps of the epoch.
    """
    together.join()
    images = load_dataset(config.dataset, report=silent).train.images[: steps * config.batch_size]
    placement = make_placement("all", members=seeds, batch_size=config.batch_size)
    run, state = prepare(
        replace(config, statistics_images=0), images, seeds=seeds, placement=placement
    )
    state, losses = run(state)
    losses.block_until_ready()
    began = time.perf_counter()
    run(state)[1].block_until_ready()
    print((time.perf_counter() - began) / steps)


if __name__ == "__main__":
    command.run(main)
