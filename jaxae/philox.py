"""JAX's philox2x32 generator, to the same bits, in operations that XLA can share out over devices.

JAX's own multiplies with mulhi, which XLA's partitioner Shardy can't lower (jax 0.10.2: "Unable to convert MHLO").
Philox2x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import math

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl

MULTIPLIER, WEYL, ROUNDS = 0xD256D193, 0x9E3779B9, 10
DTYPES = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}
HALF = 16
"""Bits of half a word."""


def _high_product(x: jax.Array) -> jax.Array:
    """The upper 32 bits of x · MULTIPLIER, from products of halves, none of which overflows."""
    low, high = x & 0xFFFF, x >> HALF
    m_low, m_high = jnp.uint32(MULTIPLIER & 0xFFFF), jnp.uint32(MULTIPLIER >> HALF)
    middle = m_high * low + ((m_low * low) >> HALF)
    rest = m_low * high + (middle & 0xFFFF)
    return m_high * high + (middle >> HALF) + (rest >> HALF)


@jax.jit  # traced and lowered once for each shape, not ten times: this took a second of every start
def _round(first: jax.Array, second: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _high_product(first) ^ second ^ key, first * jnp.uint32(MULTIPLIER)


@jax.jit  # one program a key, not some 150
def _hash(key: jax.Array, counter: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The two words of a counter, u32[...], whose upper word is 0. key: u32[]."""
    first, second = jnp.zeros_like(counter), counter
    for turn in range(ROUNDS):
        first, second = _round(first, second, key + jnp.uint32(turn * WEYL % 2**32))
    return first, second


def _counters(shape: tuple[int, ...]) -> jax.Array:
    if math.prod(shape) > 2**32:
        raise ValueError(f"{shape} has more than 2³² values: draw them in parts")
    return jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)


def _seed(seed: jax.Array) -> jax.Array:
    return _hash(jnp.uint32(0), seed.astype(jnp.uint32))[0][None]


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return _hash(key[0], _counters(shape))[0][..., None]


def _fold_in(key: jax.Array, data: int | jax.Array) -> jax.Array:
    return _hash(key[0], jnp.asarray(data, jnp.uint32))[0][None]


def _random_bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    first, second = _hash(key[0], _counters(shape))
    return (first ^ second).astype(DTYPES[width])


PHILOX = define_prng_impl(
    key_shape=(1,), seed=_seed, split=_split, random_bits=_random_bits, fold_in=_fold_in, name="philox", tag="philox"
)
"""What jax.random.key takes as impl."""
