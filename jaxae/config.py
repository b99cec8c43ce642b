"""The recipe of a run: a frozen dataclass, checked when it is made, JSON in and out. No JAX here."""

import json
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from jaxae.errors import InputError

PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]

RETIRED: dict[str, object] = {
    "prng_impl": None,
    "starts": None,
    "distance_weight": 0.0,
    "distance_steps": None,
}
"""Options of earlier versions, and the value with which a run means the same today; None where any does, once it is trained."""

CHECKS = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True, use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True, config=CHECKS)
class Config:
    """Everything that decides a run's result, beside the machine and the versions. Raises InputError."""

    dataset: Annotated[str, Field(min_length=1)] = "auto"
    """A name such as mnist, an .npz or .npy file, or a folder of pictures; auto: Fashion-MNIST or, loudly, a SYNTHETIC one."""
    image_shape: Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)] = (
        28,
        28,
        1,
    )
    """Height, width and channels of an image; training takes them from the data."""
    image_size: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)] | None = None
    """Height and width to bring the pictures of a folder to; without it they must all have one size."""
    split: Annotated[tuple[Fraction, Fraction, Fraction], Field(strict=False)] = (0.8, 0.1, 0.1)
    """Shares for training, validation and test, where the data have no splits of their own."""
    skip_damaged: bool = False
    """Leave out pictures of a folder that can't be read, instead of stopping at the first."""
    seed: Seed = 0
    """Seed of the root PRNG key, from which initialisation, order, noise and dropout are derived."""
    epochs: PositiveInt = 300
    """Most epochs to train; the early stop may end the run sooner."""
    batch_size: PositiveInt = 128
    """Images per step; the rest of an epoch that fills no batch is left out of that epoch."""
    noise_factor: NonNegative = 0.25
    """Standard deviation of the Gaussian noise on the input, for pixels in [0, 1]."""
    noise_range: Annotated[tuple[NonNegative, NonNegative], Field(strict=False)] | None = None
    """Train on noise drawn anew for each image, uniform between these two; validation stays at --noise-factor."""
    dropout: Annotated[tuple[Rate, Rate, Rate], Field(strict=False)] = (0.2, 0.2, 0.1)
    """Dropout rates after the first three layers of the encoder."""
    widths: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] = (
        512,
        256,
        128,
        64,
        32,
        16,
        8,
        4,
    )
    """Widths of the encoder's layers between the image and the latent; the decoder mirrors them."""
    latent_dim: PositiveInt = 2
    """Numbers an image is sent through; of more than two, maps show the two leading principal axes."""
    latent_activation: Literal["linear", "relu"] = "linear"
    """What follows the latent layer: nothing, or BatchNorm and ReLU as after every other layer."""
    initializer: Literal["lecun_normal", "he_normal", "orthogonal", "glorot_uniform"] = (
        "lecun_normal"
    )
    """How the layers before a BatchNorm begin."""
    narrow_shift: NonNegative = 2.0
    """Where BatchNorm's shift begins in layers of 16 units or fewer, so that nearly all of them are on; elsewhere 0."""
    matmul_dtype: Literal["float32", "bfloat16"] = "float32"
    """What training steps round the operands of matrix products to: bfloat16 is faster where the processor multiplies it."""
    batch_norm_momentum: Rate = 0.9
    """Share of the running batch statistics that a step keeps."""
    statistics_images: Annotated[int, Field(ge=0, lt=2**31)] = 10_000
    """After each epoch, take the batch statistics anew from this many training images; 0 keeps the running ones."""
    average_decay: Rate = 0.998
    """Evaluate an exponential moving average of the weights, of which a step keeps this share; 0 evaluates the weights."""
    similarity_weight: NonNegative = 0.0
    """Weight, beside the loss, of 1 - r: r correlates similarities on the map with those between the images. Try 0.02."""
    similarity_steps: PositiveInt = 10_000
    """Steps after which that weight has halved; after N times as many it is 1/(N + 1) of what it was."""
    learning_rate: Positive = 1e-3
    """AdamW's learning rate before the plateau reduces it."""
    weight_decay: NonNegative = 0.003
    """AdamW's decoupled weight decay."""
    adam_b2: Rate = 0.95
    """AdamW's decay of the mean squared gradient."""
    clip_norm: Positive = 1.0
    """Largest global norm of the gradient."""
    plateau_factor: Fraction = 0.3
    """The learning rate is multiplied by this on a plateau of the validation loss."""
    plateau_patience: PositiveInt = 10
    """Epochs without a lower validation loss (by 0.01 %) that make a plateau."""
    restore_best: bool = False
    """When the learning rate drops, go on from the best epoch's weights and optimiser instead of the latest ones."""
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Floor of the learning rate, as a share of --learning-rate."""
    early_stop_patience: PositiveInt = 8
    """Stop after this many epochs in a row at the floor of the learning rate without a new best."""

    @field_validator("noise_range")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value and value[0] > value[1]:
            raise ValueError("Give the lower one first")
        return value

    @field_validator("split")
    @classmethod
    def _whole(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError("Give three shares whose sum is 1")
        return value

    @field_validator("statistics_images")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < 100:
            raise ValueError("Give 100 or more, or 0")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, values: Any, check: ModelWrapValidatorHandler["Config"]) -> "Config":
        try:
            return check(values)
        except ValidationError as error:
            raise InputError(
                "; ".join(_one_line(e["loc"], e["msg"], e["input"]) for e in error.errors())
            ) from None

    @property
    def training_noise(self) -> float | tuple[float, float]:
        """Standard deviation of the noise in training, or the two between which each image's is drawn."""
        return self.noise_range or self.noise_factor

    def to_json(self, *, data: str | None = None) -> str:
        """The recipe as indented JSON, headed by the data set's title where one is given."""
        return json.dumps({**({"data": data} if data else {}), **asdict(self)}, indent=2) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> "Config":
        """The recipe of to_json's text. Raises InputError on anything else."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not valid JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError(f"expected a JSON object, got {values!r:.60}")
        for name, same in RETIRED.items():
            if name in values and same is not None and values[name] != same:
                raise InputError(
                    f"{name} is {values[name]}, an option that is gone: use the version that wrote it"
                )
        return Config(
            **{name: value for name, value in values.items() if name not in {"data", *RETIRED}}
        )

    def differences(self, other: "Config") -> list[str]:
        """'field: mine, not theirs' for each field in which two recipes differ."""
        return [
            f"{k}: {mine}, not {vars(other)[k]}"
            for k, mine in vars(self).items()
            if mine != vars(other)[k]
        ]


def _one_line(location: tuple[int | str, ...], message: str, value: object) -> str:
    name = repr(".".join(map(str, location)) or "the recipe")[
        1:-1
    ]  # a hostile name may hold line breaks
    return f"{name} is {value!r:.60}: {message[0].lower()}{message[1:]}"


CLEAN = Config(noise_range=(0.0, 0.4), dropout=(0.0, 0.0, 0.0), plateau_patience=15)


PRESETS = {
    "default": Config(),
    "clean": CLEAN,
    "map": replace(CLEAN, similarity_weight=0.02, restore_best=True),
}
"""The procedure as it is given; a recipe for clean images and noisy ones, without dropout; and that with an ordered map."""
