"""Show where the time of an epoch goes: its steps, what follows them, and saving.

Saving runs in a thread while the next epoch is computed.
"""

import contextlib
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import jax
import numpy as np

from jaxae.build import first_state
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.state import stack_members
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.evaluation.tables import markdown
from jaxae.runs import checkpoint
from jaxae.train.epoch import compile_epoch
from jaxae.train.loop import fit_members, settle
from jaxae.train.progress import Epoch
from jaxae.train.sharding import make_placement

STEPS, WHOLE = "steps", "a whole epoch of a run"


def main(config: Config, rounds: int = 7) -> None:
    """Time the parts of an epoch in turn, then whole epochs of a run, and print the medians.

    Args:
        config: The recipe.
        rounds: Epochs that count; each time one more comes first and does not.
    """
    dataset = load_dataset(config.dataset, report=messages.say)
    recipe = replace(settle(config, dataset), epochs=rounds + 1)
    seconds = {**time_parts(recipe, dataset), WHOLE: time_epochs(recipe, dataset)}

    usual = {name: median(values[1:]) for name, values in seconds.items()}
    rows = [
        [name, f"{1000 * each:.0f}", f"{100 * each / usual[STEPS]:.1f} %"]
        for name, each in usual.items()
    ]
    print(markdown(["part", "ms", "of the steps"], rows))


def time_parts(recipe: Config, dataset: Dataset) -> dict[str, list[float]]:
    """Return seconds of each part alone, epoch by epoch."""
    placement = make_placement(1, members=1, batch_size=recipe.batch_size)
    epoch = compile_epoch([recipe], dataset, placement)
    state = placement.put(stack_members([first_state(recipe)]))
    active = np.ones(1, bool)

    names = (STEPS, "batch statistics", "validation", "end", "saving, alone")
    steps, statistics, validation, ends, saving = (list[float]() for _ in names)
    with tempfile.TemporaryDirectory() as place:
        for _ in range(recipe.epochs):
            with timed(steps):
                state, losses = epoch.steps(state, active)
                losses.block_until_ready()

            if epoch.statistics:
                with timed(statistics):
                    found = epoch.mean_statistics(epoch.statistics(state))
                    jax.block_until_ready(found)
                state = state._replace(batch_stats=found)

            with timed(validation):
                loss = epoch.validation_errors(state).loss.mean(axis=1)

            with timed(ends):
                state, *_ = jax.block_until_ready(epoch.end(state, loss, active))

            with timed(saving):
                checkpoint.save(Path(place), placement.fetch(state, 0))
    parts = zip(names, (steps, statistics, validation, ends, saving), strict=True)
    return {name: times for name, times in parts if times}


def time_epochs(recipe: Config, dataset: Dataset) -> list[float]:
    """Return seconds from the end of one epoch of a run to the next; the first is 0."""
    moments: list[float] = []

    def note(told: object) -> None:
        if isinstance(told, Epoch):
            moments.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as place:
        fit_members([recipe], dataset, [Path(place) / "run"], report=note)
    return [0.0, *(after - before for before, after in itertools.pairwise(moments))]


@contextlib.contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Add the seconds that the block takes to the list."""
    began = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - began)


if __name__ == "__main__":
    command.run(main)
