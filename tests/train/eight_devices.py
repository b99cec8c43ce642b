"""Run by test_sharding in a process of its own, on eight pretended devices: prints what it finds as
JSON.
"""

import json
import sys
from pathlib import Path
from unittest import mock

import jax
import numpy as np

from jaxae.build import first_state
from jaxae.config import Config
from jaxae.core.state import stack_members
from jaxae.data.large import rows_of
from jaxae.data.load import synthetic_dataset
from jaxae.errors import silent
from jaxae.runs import checkpoint
from jaxae.runs.manifest import tree_digest
from jaxae.train.feed import OnDevice, compile_steps
from jaxae.train.loop import fit_members
from jaxae.train.population import recipes
from jaxae.train.sharding import make_placement

place = Path(sys.argv[1])
dataset = synthetic_dataset(jax.random.key(1), train=600, test=103)
config = Config(dataset="synthetic", epochs=1, batch_size=64, learning_rate=1e-6, widths=(64, 16))
small = Config(**{**vars(config), "widths": (64, 16, 4)})  # fewer layers compile sooner

images = np.resize(dataset.train.images, (50 * 64, 28, 28, 1))
losses: dict[int | str, list[float]] = {}
for devices in (1, 8):
    placement = make_placement(devices, members=1, batch_size=64)
    run = compile_steps([small], images, placement=placement)
    assert isinstance(run, OnDevice)
    state = placement.put(stack_members([first_state(small)]))
    losses[devices] = np.asarray(run(state, np.array([True]))[1][0]).tolist()
    text = str(run.program.as_text())

rows: list[int] = []


def counting(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Note how many images a device reads."""
    rows.append(order.size)
    return rows_of(images, order)


with mock.patch("jaxae.train.sharding.rows_of", counting):
    run = compile_steps(
        [small], images, placement=placement, on_host=True, block_bytes=images.nbytes
    )
    state = placement.put(stack_members([first_state(small)]))
    losses["host"] = np.asarray(run(state, np.array([True]))[1][0]).tolist()

members = recipes(config, seeds=2)
on_eight = fit_members(
    members, dataset, [place / f"eight-{k}" for k in range(2)], devices="all", report=silent
)
on_one = fit_members(members, dataset, [place / f"one-{k}" for k in range(2)], report=silent)
saved = [checkpoint.load_latest(place / f"eight-{k}", on_one[k]) for k in range(2)]
print(
    json.dumps(
        {
            "losses": losses,
            "read": rows,
            "all_reduces": text.count(" all-reduce("),
            "best": [[float(state.best_loss) for state in states] for states in (on_eight, on_one)],
            "loads_on_one": [
                tree_digest(a) == tree_digest(b) for a, b in zip(saved, on_eight, strict=True)
            ],
        }
    )
)
