"""Run by test_devices in a process of its own, on eight pretended devices: prints what it finds as JSON."""

import functools
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_parts
from jaxae.config import Config
from jaxae.core.state import init_state
from jaxae.data.dataset import split
from jaxae.data.synthetic import synthetic_arrays
from jaxae.digests import tree_digest
from jaxae.errors import silent
from jaxae.rng import root_key
from jaxae.runs import checkpoint
from jaxae.train.epoch import compile_epoch
from jaxae.train.loop import fit_members
from jaxae.train.population import recipes
from jaxae.train.sharding import make_layout, put

place = Path(sys.argv[1])
dataset = split("synthetic", synthetic_arrays(jax.random.key(1), train=600, test=103))
config = Config(dataset="synthetic", epochs=1, batch_size=64, learning_rate=1e-6)
widths = (64, 16, 4)  # fewer layers compile sooner

images = jnp.asarray(np.resize(dataset.train.images, (50 * 64, 28, 28)))
losses = {}
for devices in (1, 8):
    layout = make_layout(devices, members=1, batch_size=64)
    parts = build_parts(config)
    parts = parts._replace(model=parts.model.clone(widths=widths))
    state = jax.jit(functools.partial(init_state, parts=parts))(root_key(0, impl=config.prng_impl))
    state, data = put(state, layout.states if layout else None), put(images, layout.shared if layout else None)
    run = compile_epoch(config, state, data, values={}, several=False, layout=layout, widths=widths)
    losses[devices] = np.asarray(run(state, {}, put(np.True_, layout.states if layout else None), data)[1]).tolist()
    text = str(run.as_text())

members = recipes(config, seeds=2)
on_eight = fit_members(members, dataset, [place / f"eight-{k}" for k in range(2)], devices="all", report=silent)
on_one = fit_members(members, dataset, [place / f"one-{k}" for k in range(2)], report=silent)
saved = [checkpoint.load_latest(place / f"eight-{k}", on_one[k]) for k in range(2)]
print(
    json.dumps(
        {
            "losses": losses,
            "all_reduces": text.count(" all-reduce("),
            "best": [[float(state.best_loss) for state in states] for states in (on_eight, on_one)],
            "loads_on_one": [tree_digest(a) == tree_digest(b) for a, b in zip(saved, on_eight, strict=True)],
        }
    )
)
