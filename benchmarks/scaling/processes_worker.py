"""One of the processes that scaling.py times. The first of them prints seconds a step."""

from benchmarks.speed.stepper import Stepper
from jaxae.cli import command
from jaxae.cli import train as options
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import silent
from jaxae.train.sharding import make_placement


def main(
    config: Config, together: options.SeveralProcesses, seeds: int = 1, steps: int = 16
) -> None:
    """Time an epoch, the second of two.

    Args:
        config: The recipe.
        together: The other processes.
        seeds: Models in one program.
        steps: Steps of the epoch.
    """
    together.join()
    dataset = load_dataset(config.dataset, report=silent)
    images = dataset.train.images[: steps * config.batch_size]
    placement = make_placement("all", members=seeds, batch_size=config.batch_size)
    stepper = Stepper(config, images, members=seeds, placement=placement)
    stepper.lap()
    print(stepper.lap())


if __name__ == "__main__":
    command.run(main)
