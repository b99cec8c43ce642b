"""One racer as a process: each time it reads a line it works, and answers with a line of JSON.

python -m benchmarks.speed.speed_worker RACER DATASET
"""

import functools
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.speed.stepper import Stepper
from jaxae.config import Config
from jaxae.core.model import WIDTHS
from jaxae.data.load import load_dataset
from jaxae.errors import silent

REPEATS = 50
"""How often a matrix product is computed in one program."""


class Product(NamedTuple):
    """A matrix product of a step: the shapes of its operands, and which axes meet."""

    left: tuple[int, int]
    right: tuple[int, int]
    einsum: str


def answers(racer: str, dataset: str) -> Iterator[list[float]]:
    """Return what this racer has to say: nothing when it is ready, then milliseconds each time."""
    config = recipe(racer)
    kind = racer.partition(" ")[0]

    if kind == "ceiling-jaxae":
        return time_products_in_jax(config.batch_size)
    if kind == "ceiling-pytorch":
        return time_products_in_pytorch(config.batch_size)

    images = load_dataset(dataset, report=silent).train.images
    if kind == "jaxae":
        return race_jaxae(config, images)
    if racer.endswith(" models"):
        return race_jaxae(config, images, models=int(kind))
    return race_pytorch(kind, config, images)


def recipe(racer: str) -> Config:
    """Return the default recipe, in bfloat16 if the racer's name ends so."""
    return Config(matmul_dtype="bfloat16" if racer.endswith(" bfloat16") else "float32")


def race_jaxae(config: Config, images: np.ndarray, models: int = 1) -> Iterator[list[float]]:
    """Yield milliseconds a step, after each epoch of steps of this many models in one program."""
    stepper = Stepper(config, images, members=models)
    yield []
    while True:
        yield [1000 * stepper.lap()]


def race_pytorch(kind: Any, config: Config, images: np.ndarray) -> Iterator[list[float]]:
    """Yield the same of a PyTorch peer, which is ready after its first step."""
    import torch

    from benchmarks.speed.torch_peer import Peer

    # XLA flushes denormal numbers too. Without it AdamW slows down as its moments decay.
    torch.set_flush_denormal(kind != "plain")
    torch.backends.cuda.matmul.allow_tf32 = True  # as JAX multiplies on GPUs by default

    peer = Peer(kind, config, images, device="cuda" if torch.cuda.is_available() else "cpu")
    peer.model.train()
    peer.step(next(iter(peer.batches()))).item()
    yield []

    steps = len(images) // config.batch_size
    while True:
        began = time.perf_counter()
        peer.epoch()
        yield [1000 * (time.perf_counter() - began) / steps]


def matrix_products(batch: int) -> list[Product]:
    """Return a step's products: forward, gradients of the inputs, gradients of the weights.

    The first layer has no gradient of its input.
    """
    down = list(itertools.pairwise([28 * 28, *WIDTHS, 2]))
    layers = down + [(b, a) for a, b in reversed(down)]
    forward = [Product((batch, a), (a, b), "mk,kn->mn") for a, b in layers]
    inputs = [Product((batch, b), (a, b), "mk,nk->mn") for a, b in layers[1:]]
    weights = [Product((batch, a), (batch, b), "km,kn->mn") for a, b in layers]
    return forward + inputs + weights


def time_products_in_jax(batch: int) -> Iterator[list[float]]:
    """Yield milliseconds of each product alone, with its operands in the cache."""

    def repeat(einsum: str, a: jax.Array, b: jax.Array) -> jax.Array:
        def body(operands: tuple[jax.Array, jax.Array], _: None) -> Any:
            # Without the barriers XLA would compute the product once.
            operands = jax.lax.optimization_barrier(operands)
            product = jax.lax.optimization_barrier(jnp.einsum(einsum, *operands))
            return operands, product[0, 0]

        return jax.lax.scan(body, (a, b), None, length=REPEATS)[1]

    rng = np.random.default_rng(0)
    runs = []
    for product in matrix_products(batch):
        a, b = (
            jnp.asarray(rng.standard_normal(shape, np.float32))
            for shape in (product.left, product.right)
        )
        program = jax.jit(functools.partial(repeat, product.einsum)).lower(a, b).compile()
        program(a, b).block_until_ready()
        runs.append((program, a, b))

    yield []
    while True:
        yield [milliseconds(program, a, b) for program, a, b in runs]


def time_products_in_pytorch(batch: int) -> Iterator[list[float]]:
    """Yield the same of PyTorch."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    operands = []
    for product in matrix_products(batch):
        a, b = (torch.randn(shape, device=device) for shape in (product.left, product.right))
        left, right = product.einsum.removesuffix("->mn").split(",")
        operands.append((a.T if left == "km" else a, b.T if right == "nk" else b))

    def repeat(a: torch.Tensor, b: torch.Tensor) -> None:
        for _ in range(REPEATS):
            product = a @ b
        product[0, 0].item()

    yield []
    while True:
        yield [milliseconds(repeat, a, b) for a, b in operands]


def milliseconds(work: Callable[[Any, Any], Any], a: Any, b: Any) -> float:
    """Return the milliseconds of one of REPEATS repetitions."""
    began = time.perf_counter()
    jax.block_until_ready(work(a, b))
    return 1000 * (time.perf_counter() - began) / REPEATS


if __name__ == "__main__":
    source = answers(*sys.argv[1:])
    for _ in sys.stdin:
        print(json.dumps(next(source)), flush=True)
