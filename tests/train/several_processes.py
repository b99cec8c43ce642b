"""Run by test_processes, once for each process: trains on a small data set together with the
others.
"""

from pathlib import Path

import jax

from jaxae.cli import command, messages
from jaxae.cli import train as options
from jaxae.config import Config
from jaxae.data.load import synthetic_dataset
from jaxae.train.loop import fit_members
from jaxae.train.population import recipes


def main(together: options.SeveralProcesses, place: Path, seeds: int = 1, epochs: int = 3) -> None:
    """Prints where the first process has written."""
    processes = together.join()
    dataset = synthetic_dataset(jax.random.key(1), train=600, test=103)
    config = Config(
        dataset="synthetic",
        epochs=epochs,
        batch_size=64,
        learning_rate=1e-7,
        widths=(64, 16),
    )
    members = recipes(config, seeds=seeds)
    processes.check_agreement(recipe=[each.to_json() for each in members])
    fit_members(
        members,
        dataset,
        [place / str(k) for k in range(seeds)],
        devices="all",
        processes=processes,
        report=messages.say,
    )
    print(place)


if __name__ == "__main__":
    command.run(main)
