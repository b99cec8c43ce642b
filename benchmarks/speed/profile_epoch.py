"""Where the time of an epoch goes: its steps, what follows them, and saving, which runs beside the next epoch."""

import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import compiled_part, first_state
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.state import stack_members
from jaxae.data.load import load_dataset
from jaxae.runs import checkpoint
from jaxae.train import epoch
from jaxae.train.epoch import compile_steps
from jaxae.train.loop import fit_members, settle
from jaxae.train.progress import Epoch
from jaxae.train.sharding import make_placement


def main(config: Config, rounds: int = 7) -> None:
    """Times the parts of an epoch in turn, then whole epochs of a run, and prints the medians.

    Args:
        config: The recipe.
        rounds: How often each part runs; so many epochs are trained, and one more, which is not counted.
    """
    dataset = load_dataset(config.dataset, report=messages.say)
    recipe = replace(settle(config, dataset), epochs=rounds + 1)
    placement = make_placement(1, members=1, batch_size=recipe.batch_size)
    shared: Any = (compiled_part(recipe), 1, placement)
    steps = compile_steps([recipe], dataset.train.images, placement=placement)
    statistics = epoch._bind_statistics([recipe], dataset.train.images, placement)
    validate, end = epoch._validation_program(*shared), epoch._end_program(*shared)
    validation, on = jnp.asarray(dataset.validation.images), np.ones(1, bool)
    state = placement.put(stack_members([first_state(recipe)]))
    parts = ("steps", "batch statistics", "validation", "end", "saving, alone")
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(rounds + 1):
            state, _losses = timed(seconds["steps"], steps, state, on)
            batch_stats = timed(seconds["batch statistics"], statistics, state)
            state = state._replace(batch_stats=batch_stats)
            loss = timed(seconds["validation"], validate, state, validation).loss.mean(axis=1)
            state = timed(seconds["end"], end, state, loss, on)[0]
            timed(seconds["saving, alone"], checkpoint.save, Path(place), placement.fetch(state, 0))
        moments: list[float] = []

        def note(told: object) -> None:
            if isinstance(told, Epoch):
                moments.append(time.perf_counter())

        fit_members([recipe], dataset, [Path(place) / "run"], report=note)
    seconds["a whole epoch of a run"] = [
        0.0,
        *(after - before for before, after in itertools.pairwise(moments)),
    ]
    alone = median(seconds["steps"][1:])
    print("| part | ms | of the steps |\n|---|---:|---:|")
    for name, values in seconds.items():
        print(
            f"| {name} | {1000 * median(values[1:]):.0f} | {100 * median(values[1:]) / alone:.1f} % |"
        )


def timed(seconds: list[float], function: Any, *args: Any) -> Any:
    """What the function gives, once it is computed; its time goes to the list."""
    began = time.perf_counter()
    result = jax.block_until_ready(function(*args))
    seconds.append(time.perf_counter() - began)
    return result


if __name__ == "__main__":
    command.run(main)
