"""A racer of train_speed.py: works when it reads a line, and answers with a line of JSON."""

import functools
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import first_state
from jaxae.config import Config
from jaxae.core.model import WIDTHS
from jaxae.core.rng import root_key
from jaxae.core.state import TrainState
from jaxae.data.load import load_dataset
from jaxae.errors import silent
from jaxae.train.epoch import compile_steps
from jaxae.train.population import recipes
from jaxae.train.sharding import Placement

REPEATS = 50


def jaxae(config: Config, images: np.ndarray) -> Iterator[float | None]:
    """Milliseconds a step over an epoch, each time; first nothing, when it is ready. The program is the one that fit runs."""
    run, state = prepare(config, images)
    yield None
    while True:
        began = time.perf_counter()
        state, losses = run(state)
        losses.block_until_ready()
        yield (time.perf_counter() - began) / losses.shape[1] * 1000


def prepare(
    config: Config, images: np.ndarray, *, seeds: int = 1, placement: Placement | None = None
) -> tuple[Callable[[TrainState], tuple[TrainState, jax.Array]], TrainState]:
    """The steps of an epoch over these images, compiled, and a state of so many seeds, which begin with the same weights."""
    placement = placement or Placement()
    configs = recipes(config, seeds=seeds)
    run = compile_steps(configs, images, placement=placement)
    # Stacking a thousand states would take longer than timing them.
    state = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (seeds, *leaf.shape)), first_state(config)
    )
    keys = jnp.stack([root_key(each.seed) for each in configs])
    return lambda state: run(state, np.ones(seeds, bool)), placement.put(state._replace(key=keys))


def pytorch(config: Config, images: np.ndarray, kind: Any) -> Iterator[float | None]:
    """The same for a PyTorch peer, which is ready after its first step."""
    import torch

    from benchmarks.speed.torch_peer import Peer

    torch.set_flush_denormal(
        kind != "plain"
    )  # as XLA does; without it, AdamW slows down as its moments decay
    torch.backends.cuda.matmul.allow_tf32 = True  # as JAX multiplies on GPUs by default
    peer = Peer(kind, config, images, device="cuda" if torch.cuda.is_available() else "cpu")
    peer.model.train()
    peer.step(next(iter(peer.batches()))).item()
    yield None
    while True:
        began = time.perf_counter()
        peer.epoch()
        yield (time.perf_counter() - began) / (len(images) // config.batch_size) * 1000


def matrix_products(batch: int) -> list[tuple[tuple[int, int], tuple[int, int], str]]:
    """A step's products as shapes and an einsum: forward, input gradient (but for the first layer), weight gradient."""
    down = list(itertools.pairwise([28 * 28, *WIDTHS, 2]))
    layers = down + [(b, a) for a, b in reversed(down)]
    forward = [((batch, a), (a, b), "mk,kn->mn") for a, b in layers]
    inputs = [((batch, b), (a, b), "mk,nk->mn") for a, b in layers[1:]]
    return forward + inputs + [((batch, a), (batch, b), "km,kn->mn") for a, b in layers]


def ceiling_jaxae(batch: int) -> Iterator[list[float]]:
    """Milliseconds of each product alone, repeated inside one program with its operands in the cache."""

    def repeat(einsum, a, b):
        def body(operands, _):
            operands = jax.lax.optimization_barrier(
                operands
            )  # else XLA would compute the product once
            return operands, jax.lax.optimization_barrier(jnp.einsum(einsum, *operands))[0, 0]

        return jax.lax.scan(body, (a, b), None, length=REPEATS)[1]

    rng = np.random.default_rng(0)
    runs = []
    for a, b, einsum in matrix_products(batch):
        operands = [jnp.asarray(rng.standard_normal(shape, np.float32)) for shape in (a, b)]
        compiled = jax.jit(functools.partial(repeat, einsum)).lower(*operands).compile()
        compiled(*operands).block_until_ready()
        runs.append((compiled, operands))
    while True:
        yield [milliseconds(compiled, *operands) for compiled, operands in runs]


def ceiling_pytorch(batch: int) -> Iterator[list[float]]:
    """The same products in PyTorch."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    works = []
    for a, b, einsum in matrix_products(batch):
        x, y = (torch.randn(shape, device=device) for shape in (a, b))
        works.append(
            (x.T if einsum.startswith("km") else x, y.T if einsum.endswith("nk->mn") else y)
        )

    def repeat(x, y):
        for _ in range(REPEATS):
            product = x @ y
        product[0, 0].item()

    while True:
        yield [milliseconds(repeat, x, y) for x, y in works]


def milliseconds(work: Callable[..., Any], *operands: Any) -> float:
    """Milliseconds of one of REPEATS repetitions."""
    began = time.perf_counter()
    jax.block_until_ready(work(*operands))
    return (time.perf_counter() - began) / REPEATS * 1000


def recipe(racer: str) -> Config:
    """The default recipe, in bfloat16 where a racer's name ends so."""
    return Config(matmul_dtype="bfloat16" if racer.endswith(" bfloat16") else "float32")


def answers(racer: str, dataset: Any) -> Iterator[Any]:
    """What this worker has to say, piece by piece."""
    config, kind = recipe(racer), racer.partition(" ")[0]
    if kind == "ceiling-jaxae":
        return ceiling_jaxae(config.batch_size)
    if kind == "ceiling-pytorch":
        return ceiling_pytorch(config.batch_size)
    images = load_dataset(dataset, report=silent).train.images
    return jaxae(config, images) if kind == "jaxae" else pytorch(config, images, kind)


if __name__ == "__main__":
    source = answers(*sys.argv[1:])
    for _ in sys.stdin:
        print(json.dumps(next(source)), flush=True)
