"""Show where the time of a training step goes: it is built up part by part, each adds its cost."""

import functools
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from benchmarks.speed.speed_worker import time_products_in_jax
from jaxae.build import Parts, build_parts
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import to_unit
from jaxae.core.objective import reconstruction_loss
from jaxae.core.rng import Stream, derive, root_key
from jaxae.core.state import TrainState, init_state
from jaxae.core.step import StepOptions, epoch_order, train_step
from jaxae.data.load import load_dataset
from jaxae.evaluation.tables import markdown

STEPS = 100
Step = Callable[[TrainState, jax.Array], tuple[TrainState, jax.Array]]
"""From a state and a batch u8[B, H, W, C] to the next state and a number."""


class Variant(NamedTuple):
    """A step, and the parts that its state is made for."""

    parts: Parts
    step: Step


def main(config: Config, rounds: int = 15) -> None:
    """Time programs that do one thing more each, in turn, and print what it adds to a step.

    Args:
        config: The recipe.
        rounds: Passes of a hundred steps of each program; the medians count.
    """
    images = jnp.asarray(load_dataset(config.dataset, report=messages.say).train.images)
    laps = {name: timer(config, images, each) for name, each in variants(config).items()}
    products = time_products_in_jax(config.batch_size)
    next(products)

    times: dict[str, list[float]] = {name: [] for name in laps}
    alone: list[float] = []
    for _ in range(rounds):
        alone.append(sum(next(products)))
        for name, lap in laps.items():
            times[name].append(lap())

    rows = []
    before = 0.0
    for name, values in times.items():
        ms = median(values)
        rows.append([name, f"{ms - before:.2f}", f"{ms:.2f}"])
        before = ms
    print(markdown(["part", "adds, ms", "sum, ms"], rows))
    print(f"\nOf this, the matrix products alone, at their fastest: {median(alone):.2f} ms.")


def variants(config: Config) -> dict[str, Variant]:
    """Return steps that do more and more; the last but one is that of the recipe."""
    noise = config.noise_factor
    averaged = build_parts(config)
    parts = averaged._replace(average_decay=0.0)
    sgd = parts._replace(optimizer=optax.sgd(config.learning_rate))
    still = sgd._replace(model=parts.model.clone(dropout=()))
    adamw = optax.adamw(config.learning_rate, weight_decay=config.weight_decay)
    unclipped = parts._replace(optimizer=adamw)
    leaf_by_leaf = parts._replace(
        optimizer=optax.chain(optax.clip_by_global_norm(config.clip_norm), adamw)
    )

    def gather(state: TrainState, images: jax.Array) -> tuple[TrainState, jax.Array]:
        return state, jnp.mean(to_unit(images))

    def corrupt(state: TrainState, images: jax.Array) -> tuple[TrainState, jax.Array]:
        return state, jnp.mean(corrupted(state, images, noise))

    def whole(parts: Parts) -> Variant:
        options = StepOptions(
            parts.model, parts.optimizer, noise, average_decay=parts.average_decay
        )
        step = functools.partial(train_step, options=options)
        return Variant(parts, step)

    return {
        "batch: gather, bytes to floats": Variant(still, gather),
        "noise": Variant(still, corrupt),
        "forward": Variant(still, functools.partial(forward, parts=still, noise=noise)),
        "backward, plain SGD": whole(still),
        "dropout, both ways": whole(sgd),
        "AdamW instead of SGD": whole(unclipped),
        "clipping, and the packing of small leaves": whole(parts),
        "the average of the weights": whole(averaged),
        "(without it, and clipping as optax has it, leaf by leaf)": whole(leaf_by_leaf),
    }


def corrupted(state: TrainState, images: jax.Array, noise: float) -> jax.Array:
    """Return a batch as the encoder sees it."""
    key = derive(state.key, Stream.NOISE, state.step)
    return add_gaussian_noise(key, to_unit(images), std=noise)


def forward(
    state: TrainState, images: jax.Array, *, parts: Parts, noise: float
) -> tuple[TrainState, jax.Array]:
    """Take a step's forward pass: its loss, and the new batch statistics."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    output, updated = parts.model.apply(
        variables, corrupted(state, images, noise), train=True, mutable=["batch_stats"]
    )
    loss = jnp.mean(reconstruction_loss(output, to_unit(images)))
    return state._replace(batch_stats=updated["batch_stats"]), loss


def timer(config: Config, images: jax.Array, variant: Variant) -> Callable[[], float]:
    """Return a function that runs STEPS steps in one program and returns milliseconds a step."""
    init = functools.partial(init_state, root_key(config.seed), parts=variant.parts)
    state = jax.jit(init)()
    key = derive(state.key, Stream.ORDER)
    order = epoch_order(key, len(images), batch_size=config.batch_size)[:STEPS]

    def run(state: TrainState, images: jax.Array, order: jax.Array) -> tuple[TrainState, jax.Array]:
        def body(state: TrainState, rows: jax.Array) -> tuple[TrainState, jax.Array]:
            state, value = variant.step(state, images[rows])
            return state._replace(step=state.step + 1), value

        return jax.lax.scan(body, state, order)

    compiled = jax.jit(run).lower(state, images, order).compile()

    def lap() -> float:
        began = time.perf_counter()
        jax.block_until_ready(compiled(state, images, order))
        return 1000 * (time.perf_counter() - began) / STEPS

    lap()
    return lap


if __name__ == "__main__":
    command.run(main)
