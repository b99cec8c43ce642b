"""The Flax modules, and nothing else that knows Flax layers. Images are f32[B, H, W, C] in [0, 1], latents f32[B, latent_dim].

A Dense layer in front of a BatchNorm has no bias: BatchNorm subtracts the mean, so the bias would be a dead parameter.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

WIDTHS = (512, 256, 128, 64, 32, 16, 8, 4)
NARROW = 16
"""Layers of so many units or fewer begin shifted: where one unit of a layer alone is on, different images share a ray.
Products with such a side are of float32 in any case: in bfloat16 they turn a trained model's gradient by some 60 degrees."""


class Layer(nn.Module):
    """Dense → BatchNorm → ReLU → Dropout. f32[B, n] → f32[B, width]."""

    width: int
    momentum: float
    initializer: str
    narrow_shift: float
    dense: Callable[..., nn.Dense]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = self.dense(
            self.width, use_bias=False, kernel_init=getattr(nn.initializers, self.initializer)()
        )(x)
        shift = nn.initializers.constant(self.narrow_shift if self.width <= NARROW else 0.0)
        x = nn.BatchNorm(
            use_running_average=not train, momentum=self.momentum, epsilon=1e-5, bias_init=shift
        )(x)
        return nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))


class Encoder(nn.Module):
    """f32[B, H, W, C] → f32[B, latent_dim]: H·W·C → 512 → … → 4 → 2."""

    widths: Sequence[int]
    latent_dim: int
    dropout: Sequence[float]
    latent_activation: str
    layer: Callable[..., Layer]
    dense: Callable[..., nn.Dense]

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        x = images.reshape(images.shape[0], math.prod(images.shape[1:]))
        for i, width in enumerate(self.widths):
            rate = self.dropout[i] if i < len(self.dropout) else 0.0
            x = self.layer(width, dropout=rate)(x, train=train)
        if self.latent_activation == "relu":
            return self.layer(self.latent_dim)(x, train=train)
        return self.dense(self.latent_dim)(x)


class Decoder(nn.Module):
    """f32[B, latent_dim] → f32[B, H, W, C] in (0, 1): 2 → 4 → … → 512 → H·W·C, sigmoid."""

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    layer: Callable[..., Layer]
    dense: Callable[..., nn.Dense]

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        x = latents
        for width in reversed(self.widths):
            x = self.layer(width)(x, train=train)
        return nn.sigmoid(self.dense(math.prod(self.image_shape))(x)).reshape(
            latents.shape[0], *self.image_shape
        )


class Autoencoder(nn.Module):
    """Denoising autoencoder. `apply(variables, images)`, or `method="encode"` / `"decode"` for one half.

    image_shape: height, width, channels. momentum: of the running batch statistics. initializer: a name in
    jax.nn.initializers, for the layers before a BatchNorm. narrow_shift: where BatchNorm's shift begins in narrow layers.
    matmul_dtype: bfloat16 for matmul_bfloat16 in all layers but narrow ones, float32 for none.
    """

    image_shape: tuple[int, int, int] = (28, 28, 1)
    widths: Sequence[int] = WIDTHS
    latent_dim: int = 2
    dropout: Sequence[float] = (0.2, 0.2, 0.1)
    latent_activation: str = "linear"
    momentum: float = 0.9
    initializer: str = "lecun_normal"
    narrow_shift: float = 0.0
    matmul_dtype: Literal["float32", "bfloat16"] = "float32"

    def setup(self) -> None:
        dense = functools.partial(
            nn.Dense,
            dot_general={"float32": None, "bfloat16": _wide_in_bfloat16}[self.matmul_dtype],
        )
        layer = functools.partial(
            Layer,
            momentum=self.momentum,
            initializer=self.initializer,
            narrow_shift=self.narrow_shift,
            dense=dense,
        )
        self.encoder = Encoder(
            self.widths, self.latent_dim, self.dropout, self.latent_activation, layer, dense
        )
        self.decoder = Decoder(self.image_shape, self.widths, layer, dense)

    def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        """Reconstructions. f32[B, H, W, C] → f32[B, H, W, C]."""
        return self.encode_decode(images, train=train)[1]

    def encode_decode(
        self, images: jax.Array, *, train: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Latents and reconstructions. f32[B, H, W, C] → f32[B, latent_dim], f32[B, H, W, C]."""
        latents = self.encode(images, train=train)
        return latents, self.decode(latents, train=train)

    def encode(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        """Latents. f32[B, H, W, C] → f32[B, latent_dim]."""
        return self.encoder(images, train=train)

    def decode(self, latents: jax.Array, *, train: bool = False) -> jax.Array:
        """Images. f32[B, latent_dim] → f32[B, H, W, C]."""
        return self.decoder(latents, train=train)


@jax.custom_vjp
def matmul_bfloat16(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel of operands rounded to bfloat16, summed in float32; so are its derivatives. f32[B, n], f32[n, m] → f32[B, m].

    JAX's own derivative would multiply float32 with bfloat16, which processors have no instruction for.
    """
    return _forward(x, kernel)[0]


def _wide_in_bfloat16(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """What nn.Dense calls. Narrow layers keep float32: the layers behind them magnify an error."""
    return matmul_bfloat16(x, kernel) if min(kernel.shape) > NARROW else x @ kernel


def _product(a: jax.Array, b: jax.Array, *, over: tuple[int, int]) -> jax.Array:
    dimensions = ((over[:1], over[1:]), ((), ()))
    return jax.lax.dot_general(a, b, dimensions, preferred_element_type=jnp.float32)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    operands = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    return _product(*operands, over=(1, 0)), operands


def _backward(
    operands: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = operands
    gradient = gradient.astype(jnp.bfloat16)
    return _product(gradient, kernel, over=(1, 1)), _product(x, gradient, over=(0, 0))


matmul_bfloat16.defvjp(_forward, _backward)
