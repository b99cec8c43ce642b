"""The network as Flax modules. Images are f32[B, H, W, C] in [0, 1], latents f32[B, latent_dim].

A Dense layer before a BatchNorm has no bias: BatchNorm subtracts the mean, and a bias with it.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import ArrayLike

WIDTHS = (512, 256, 128, 64, 32, 16, 8, 4)

BATCH_NORM_EPSILON = 1e-5

NARROW = 16
"""Layers of this many units or fewer start with a positive shift, and multiply in float32.

If only one unit of a narrow layer is active, different images collapse onto one ray of the map.
In bfloat16, narrow products turn a trained model's gradient by some 60 degrees.
"""


class LayerOptions(NamedTuple):
    """Options common to all layers."""

    momentum: float
    narrow_shift: float
    matmul_dtype: str


class Encoder(nn.Module):
    """Map images to latents, f32[B, H, W, C] → f32[B, latent_dim]: H·W·C → 512 → … → 4 → 2."""

    widths: Sequence[int]
    latent_dim: int
    dropout: Sequence[float]
    latent_activation: str
    options: LayerOptions

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool, drop: ArrayLike) -> jax.Array:
        x = images.reshape(images.shape[0], math.prod(images.shape[1:]))

        for i, width in enumerate(self.widths):
            x = hidden_layer(x, i, width, self.options, train=train)
            rate = self.dropout[i] if i < len(self.dropout) else 0.0
            dropped = nn.Dropout(rate, deterministic=not train, name=f"dropout_{i}")(x)
            x = jnp.where(drop, dropped, x) if train else dropped

        last = len(self.widths)
        if self.latent_activation == "relu":
            return hidden_layer(x, last, self.latent_dim, self.options, train=train)
        return dense(last, self.latent_dim, self.options)(x)


class Decoder(nn.Module):
    """Map latents to images in (0, 1), f32[B, latent_dim] → f32[B, H, W, C]: 2 → 4 → … → H·W·C."""

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    options: LayerOptions

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        x = latents
        for i, width in enumerate(reversed(self.widths)):
            x = hidden_layer(x, i, width, self.options, train=train)

        logits = dense(len(self.widths), math.prod(self.image_shape), self.options)(x)
        return nn.sigmoid(logits).reshape(latents.shape[0], *self.image_shape)


def hidden_layer(
    x: jax.Array, i: int, width: int, options: LayerOptions, *, train: bool
) -> jax.Array:
    """Apply Dense → BatchNorm → ReLU, layer i of a half: f32[B, n] → f32[B, width]."""
    shift = options.narrow_shift if width <= NARROW else 0.0
    batch_norm = nn.BatchNorm(
        use_running_average=not train,
        momentum=options.momentum,
        epsilon=BATCH_NORM_EPSILON,
        bias_init=nn.initializers.constant(shift),
        name=f"batch_norm_{i}",
    )
    return nn.relu(batch_norm(dense(i, width, options, use_bias=False)(x)))


def dense(i: int, width: int, options: LayerOptions, *, use_bias: bool = True) -> nn.Dense:
    """Return the Dense layer i of the encoder or decoder."""
    product = multiply_wide_in_bfloat16 if options.matmul_dtype == "bfloat16" else None
    return nn.Dense(width, use_bias=use_bias, dot_general=product, name=f"dense_{i}")


class Autoencoder(nn.Module):
    """Denoising autoencoder: `apply(variables, images)`, or `method="encode"` / `"decode"`.

    image_shape: height, width, channels. dropout: rates after the first layers of the encoder.
    latent_activation: "linear", or "relu" for BatchNorm and ReLU after the latent layer too.
    momentum: of BatchNorm's running statistics. narrow_shift: where BatchNorm's shift begins in
    layers of NARROW units or fewer. matmul_dtype: "bfloat16" rounds the operands of wide products.

    >>> model = Autoencoder(widths=(64, 16))
    >>> variables = model.init(key, jnp.zeros((1, 28, 28, 1)))
    >>> latents = model.apply(variables, jnp.zeros((5, 28, 28, 1)), method="encode")
    >>> latents.shape, model.apply(variables, latents, method="decode").shape
    ((5, 2), (5, 28, 28, 1))
    """

    image_shape: tuple[int, int, int] = (28, 28, 1)
    widths: Sequence[int] = WIDTHS
    latent_dim: int = 2
    dropout: Sequence[float] = (0.2, 0.2, 0.1)
    latent_activation: str = "linear"
    momentum: float = 0.9
    narrow_shift: float = 0.0
    matmul_dtype: Literal["float32", "bfloat16"] = "float32"

    def setup(self) -> None:
        """Make the two halves, as Flax asks for them."""
        options = LayerOptions(self.momentum, self.narrow_shift, self.matmul_dtype)
        self.encoder = Encoder(
            self.widths, self.latent_dim, self.dropout, self.latent_activation, options
        )
        self.decoder = Decoder(self.image_shape, self.widths, options)

    def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        """Return reconstructions: f32[B, H, W, C] → f32[B, H, W, C]."""
        return self.encode_decode(images, train=train)[1]

    def encode_decode(
        self, images: jax.Array, *, train: bool = False, drop: ArrayLike = True
    ) -> tuple[jax.Array, jax.Array]:
        """Return latents and reconstructions, f32[B, latent_dim] and f32[B, H, W, C].

        drop: bool[], whether training drops units; it may be traced.
        """
        latents = self.encode(images, train=train, drop=drop)
        return latents, self.decode(latents, train=train)

    def encode(
        self, images: jax.Array, *, train: bool = False, drop: ArrayLike = True
    ) -> jax.Array:
        """Return latents: f32[B, H, W, C] → f32[B, latent_dim]."""
        return self.encoder(images, train=train, drop=drop)

    def decode(self, latents: jax.Array, *, train: bool = False) -> jax.Array:
        """Return images: f32[B, latent_dim] → f32[B, H, W, C]."""
        return self.decoder(latents, train=train)


def multiply_wide_in_bfloat16(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """Return x @ kernel, rounded to bfloat16 unless a side is NARROW: what nn.Dense calls."""
    if min(kernel.shape) > NARROW:
        return matmul_bfloat16(x, kernel)
    return x @ kernel


@jax.custom_vjp
def matmul_bfloat16(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return x @ kernel of operands rounded to bfloat16, summed in float32.

    f32[B, n], f32[n, m] → f32[B, m]. The derivatives are computed in the same way: JAX's own would
    multiply float32 with bfloat16, which processors have no instruction for.
    """
    return _forward(x, kernel)[0]


def _product(a: jax.Array, b: jax.Array, *, over: tuple[int, int]) -> jax.Array:
    dimensions = ((over[:1], over[1:]), ((), ()))
    return jax.lax.dot_general(a, b, dimensions, preferred_element_type=jnp.float32)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    operands = (x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
    return _product(*operands, over=(1, 0)), operands


def _backward(
    operands: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = operands
    rounded = gradient.astype(jnp.bfloat16)
    return _product(rounded, kernel, over=(1, 1)), _product(x, rounded, over=(0, 0))


matmul_bfloat16.defvjp(_forward, _backward)
