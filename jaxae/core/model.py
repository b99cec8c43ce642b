"""The Flax modules, and nothing else that knows Flax layers. Images are f32[B, 28, 28] in [0, 1], latents f32[B, 2].

A Dense layer in front of a BatchNorm has no bias: BatchNorm subtracts the mean, so the bias would be a dead parameter.
"""

from collections.abc import Sequence

import jax
from flax import linen as nn

WIDTHS = (512, 256, 128, 64, 32, 16, 8, 4)
LATENT = 2
SIDE = 28


class Layer(nn.Module):
    """Dense → BatchNorm → ReLU → Dropout. f32[B, n] → f32[B, width]."""

    width: int
    momentum: float
    initializer: str
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = nn.Dense(self.width, use_bias=False, kernel_init=getattr(nn.initializers, self.initializer)())(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=self.momentum, epsilon=1e-5)(x)
        return nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))


class Encoder(nn.Module):
    """f32[B, 28, 28] → f32[B, 2]: 784 → 512 → … → 4 → 2."""

    widths: Sequence[int]
    dropout: Sequence[float]
    latent_activation: str
    momentum: float
    initializer: str

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        x = images.reshape(len(images), SIDE * SIDE)
        for i, width in enumerate(self.widths):
            rate = self.dropout[i] if i < len(self.dropout) else 0.0
            x = Layer(width, self.momentum, self.initializer, rate)(x, train=train)
        if self.latent_activation == "relu":
            return Layer(LATENT, self.momentum, self.initializer)(x, train=train)
        return nn.Dense(LATENT)(x)


class Decoder(nn.Module):
    """f32[B, 2] → f32[B, 28, 28] in (0, 1): 2 → 4 → … → 512 → 784, sigmoid."""

    widths: Sequence[int]
    momentum: float
    initializer: str

    @nn.compact
    def __call__(self, latents: jax.Array, *, train: bool) -> jax.Array:
        x = latents
        for width in reversed(self.widths):
            x = Layer(width, self.momentum, self.initializer)(x, train=train)
        return nn.sigmoid(nn.Dense(SIDE * SIDE)(x)).reshape(len(latents), SIDE, SIDE)


class Autoencoder(nn.Module):
    """Denoising autoencoder. `apply(variables, images)`, or `method="encode"` / `"decode"` for one half.

    momentum: of the running batch statistics; initializer: a name in jax.nn.initializers, for layers before one.
    """

    widths: Sequence[int] = WIDTHS
    dropout: Sequence[float] = (0.2, 0.2, 0.1)
    latent_activation: str = "linear"
    momentum: float = 0.9
    initializer: str = "lecun_normal"

    def setup(self) -> None:
        self.encoder = Encoder(self.widths, self.dropout, self.latent_activation, self.momentum, self.initializer)
        self.decoder = Decoder(self.widths, self.momentum, self.initializer)

    def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        """Reconstructions. f32[B, 28, 28] → f32[B, 28, 28]."""
        return self.decode(self.encode(images, train=train), train=train)

    def encode(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        """Latents. f32[B, 28, 28] → f32[B, 2]."""
        return self.encoder(images, train=train)

    def decode(self, latents: jax.Array, *, train: bool = False) -> jax.Array:
        """Images. f32[B, 2] → f32[B, 28, 28]."""
        return self.decoder(latents, train=train)
