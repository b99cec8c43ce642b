"""Where the time of a training step goes: the step is built up part by part, and each part costs what it adds."""

import functools
import time
from collections.abc import Callable
from statistics import median

import jax
import jax.numpy as jnp
import optax

from benchmarks.speed.speed_worker import ceiling_jaxae
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

STEPS = 100


def main(config: Config, rounds: int = 15) -> None:
    """Times programs that do one thing more each, in turn, and prints what each thing adds to a step.

    Args:
        config: The recipe.
        rounds: Passes of a hundred steps of each program; the medians count.
    """
    images = jnp.asarray(load_dataset(config.dataset, report=messages.say).train.images)
    parts = build_parts(config)
    still = parts._replace(model=parts.model.clone(dropout=()))
    decay = {"learning_rate": config.learning_rate, "weight_decay": config.weight_decay}
    unclipped = parts._replace(optimizer=optax.adamw(**decay))
    leafwise = parts._replace(
        optimizer=optax.chain(optax.clip_by_global_norm(config.clip_norm), optax.adamw(**decay))
    )
    sgd = parts._replace(optimizer=optax.sgd(config.learning_rate))
    still_sgd = still._replace(optimizer=sgd.optimizer)
    noise = config.noise_factor
    programs = {
        "batch: gather, bytes to floats": timer(
            config, parts, images, lambda s, x: (s, jnp.mean(to_unit(x)))
        ),
        "noise": timer(config, parts, images, lambda s, x: (s, jnp.mean(corrupt(s, x, noise)))),
        "forward": timer(
            config, still_sgd, images, functools.partial(forward, parts=still_sgd, noise=noise)
        ),
        "backward, plain SGD": timer(config, still_sgd, images, whole(still_sgd, noise)),
        "dropout, both ways": timer(config, sgd, images, whole(sgd, noise)),
        "AdamW instead of SGD": timer(config, unclipped, images, whole(unclipped, noise)),
        "clipping, and the packing of small leaves": timer(
            config, parts, images, whole(parts, noise)
        ),
        "(as optax has it, leaf by leaf)": timer(config, leafwise, images, whole(leafwise, noise)),
    }
    ceiling = ceiling_jaxae(config.batch_size)
    products = []
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        products.append(next(ceiling))
        for name, run in programs.items():
            times[name].append(run())
    print("| part | adds, ms | sum, ms |\n|---|---|---|")
    before = 0.0
    for name, values in times.items():
        print(f"| {name} | {median(values) - before:.2f} | {median(values):.2f} |")
        before = median(values)
    alone = sum(median(each) for each in zip(*products, strict=True))
    print(f"\nOf this, the matrix products alone, at their fastest in XLA: {alone:.2f} ms.")


def corrupt(state: TrainState, images: jax.Array, noise: float) -> jax.Array:
    """A batch as the encoder sees it."""
    return add_gaussian_noise(
        derive(state.key, Stream.NOISE, state.step), to_unit(images), std=noise
    )


def forward(
    state: TrainState, images: jax.Array, *, parts: Parts, noise: float
) -> tuple[TrainState, jax.Array]:
    """A step's forward pass and loss, with the batch statistics."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    output, updated = parts.model.apply(
        variables, corrupt(state, images, noise), train=True, mutable=["batch_stats"]
    )
    loss = jnp.mean(reconstruction_loss(output, to_unit(images)))
    return state._replace(batch_stats=updated["batch_stats"]), loss


def whole(
    parts: Parts, noise: float
) -> Callable[[TrainState, jax.Array], tuple[TrainState, jax.Array]]:
    """train_step with these parts."""
    options = StepOptions(parts.model, parts.optimizer, noise)
    return functools.partial(train_step, options=options)


def timer(config: Config, parts: Parts, images: jax.Array, step: Callable) -> Callable[[], float]:
    """A function that runs STEPS steps in one program and returns the milliseconds of one."""
    state = jax.jit(functools.partial(init_state, root_key(config.seed), parts=parts))()
    order = epoch_order(derive(state.key, Stream.ORDER), len(images), batch_size=config.batch_size)[
        :STEPS
    ]

    def steps(state, images, order):
        def body(state, batch):
            state, value = step(state, images[batch])
            return state._replace(step=state.step + 1), value

        return jax.lax.scan(body, state, order)

    compiled = jax.jit(steps).lower(state, images, order).compile()

    def run() -> float:
        began = time.perf_counter()
        jax.block_until_ready(compiled(state, images, order))
        return (time.perf_counter() - began) / STEPS * 1000

    run()
    return run


if __name__ == "__main__":
    command.run(main)
