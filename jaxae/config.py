"""The recipe of a run: a frozen dataclass, checked when it is made, JSON in and out."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError
from tyro.conf import arg

from jaxae.errors import InputError

PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]

# JSON and command lines give lists: they become tuples.
Size = Annotated[tuple[PositiveInt, ...], Field(strict=False)]
"""Height and width; from a command line one number for both."""
Shape = Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]
Shares = Annotated[tuple[Fraction, Fraction, Fraction], Field(strict=False)]
Range = Annotated[tuple[NonNegative, NonNegative], Field(strict=False)]
Rates = Annotated[tuple[Rate, Rate, Rate], Field(strict=False)]
Widths = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)]

RETIRED: dict[str, object] = {
    "prng_impl": None,
    "starts": None,
    "initializer": None,
    "batch_norm_momentum": 0.9,
    "similarity_weight": 0.0,
}
"""Options of earlier versions, with the value that today's code has; None where any will do."""

EARLIER = {"restore_best": False, "dropout_epochs": 2**31 - 1}
"""What earlier versions did where they had no option for it."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images, and how they are split."""

    dataset: Annotated[str, Field(min_length=1)] = "auto"
    """A name such as mnist, an .npz or .npy file, or a folder. auto: Fashion-MNIST or SYNTHETIC."""

    seed: Seed = 0
    """Seed of the root PRNG key: initial weights, order, noise and dropout follow from it."""

    batch_size: PositiveInt = 128
    """Images per step. Images that do not fill a batch are left out of that epoch."""

    image_size: Annotated[Size | None, arg(metavar="HEIGHT [WIDTH]", help_behavior_hint="")] = None
    """Scale the pictures of a folder to cover this and cut their edges. Several sizes get one."""

    split: Shares = (0.8, 0.1, 0.1)
    """Shares for training, validation and test, where the data have no splits of their own."""

    skip_damaged: bool = False
    """Leave out pictures of a folder that can't be read, instead of stopping at the first."""

    labels: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """A CSV file with the columns file and label, for a folder without one for each class."""


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network, and the noise on its input."""

    noise_factor: NonNegative = 0.25
    """Standard deviation of the Gaussian noise on the input, for pixels in [0, 1]."""

    noise_range: Annotated[Range | None, arg(metavar="LOW HIGH", help_behavior_hint="")] = None
    """Draw each training image's standard deviation between these. Validation uses noise_factor."""

    dropout: Rates = (0.2, 0.2, 0.1)
    """Dropout rates after the first three layers of the encoder."""

    dropout_epochs: Count = 20
    """Epochs with dropout, from the first one. Then it costs more than it gives."""

    widths: Widths = (512, 256, 128, 64, 32, 16, 8, 4)
    """Widths of the encoder's layers between the image and the latent. The decoder mirrors them."""

    latent_dim: PositiveInt = 2
    """Numbers in a latent. With more than two, maps show the two leading principal axes."""

    latent_activation: Literal["linear", "relu"] = "linear"
    """After the latent layer: nothing, or BatchNorm and ReLU as after every other layer."""

    narrow_shift: NonNegative = 2.0
    """Initial shift of BatchNorm in layers of 16 units or fewer, so that most are active."""

    statistics_images: Count = 10_000
    """Training images for the batch statistics after each epoch. 0 keeps the running ones."""

    matmul_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Operands of wide matrix products in training. auto: bfloat16 where a CPU multiplies it."""


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """AdamW, and what is minimised."""

    learning_rate: Positive = 2e-3
    """AdamW's learning rate, before the plateau reduces it."""

    weight_decay: NonNegative = 0.003
    """AdamW's decoupled weight decay."""

    adam_b2: Rate = 0.95
    """AdamW's decay of the mean squared gradient."""

    clip_norm: Positive = 1.0
    """Largest global norm of the gradient."""

    average_decay: Rate = 0.998
    """Decay of the exponential moving average of the weights, which is evaluated. 0: no average."""

    neighbor_weight: NonNegative = 0.0
    """Weight of a term that keeps near images near on the map: weight / (1 + step / 1000)."""


@dataclass(frozen=True, kw_only=True)
class PlateauOptions:
    """When the learning rate falls, and when the run ends."""

    epochs: PositiveInt = 300
    """Most epochs to train. The early stop may end the run sooner."""

    plateau_patience: PositiveInt = 5
    """Epochs without a lower validation loss (by 0.05 %) that make a plateau."""

    plateau_factor: Fraction = 0.2
    """Factor for the learning rate on a plateau of the validation loss."""

    min_scale: Share = 0.2
    """Floor of the learning rate, as a share of learning_rate."""

    restore_best: bool = True
    """When the learning rate drops, go on from the best epoch's weights and optimiser."""

    early_stop_patience: PositiveInt = 7
    """Stop after this many epochs at the floor of the learning rate without a new best."""


GROUPS = (DataOptions, NetworkOptions, OptimizerOptions, PlateauOptions)


@pydantic.dataclasses.dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(extra="forbid", allow_inf_nan=False, strict=True),
)
# Dataclass fields come from the last base first: data, network, optimiser, plateau.
class Config(PlateauOptions, OptimizerOptions, NetworkOptions, DataOptions):
    """Everything that decides a run's result, apart from the machine and the versions.

    Raises InputError where a value is impossible.
    """

    image_shape: Shape = (28, 28, 1)
    """Height, width and channels of an image. Training takes them from the data."""

    @pydantic.field_validator("image_size")
    @classmethod
    def _height_and_width(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and len(value) not in (1, 2):
            raise ValueError("Give a height and a width, or one number for both")
        return value * 2 if value and len(value) == 1 else value

    @pydantic.field_validator("noise_range")
    @classmethod
    def _low_before_high(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value and value[0] > value[1]:
            raise ValueError("Give the lower one first")
        return value

    @pydantic.field_validator("split")
    @classmethod
    def _sums_to_one(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError("Give three shares whose sum is 1")
        return value

    @pydantic.field_validator("statistics_images")
    @classmethod
    def _enough_images(cls, value: int) -> int:
        if 0 < value < 100:
            raise ValueError("Give 100 or more, or 0")
        return value

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _explain(cls, values: Any, check: ModelWrapValidatorHandler["Config"]) -> "Config":
        try:
            return check(values)
        except ValidationError as error:
            lines = [_one_line(e["loc"], e["msg"], e["input"]) for e in error.errors()]
            raise InputError("; ".join(lines)) from None

    @property
    def training_noise(self) -> float | tuple[float, float]:
        """Standard deviation of the noise in training, or the two that it is drawn between."""
        return self.noise_range or self.noise_factor

    def to_json(self, *, data: str | None = None) -> str:
        """Return the recipe as indented JSON, headed by the data set's title if one is given."""
        heading = {"data": data} if data else {}
        return json.dumps(heading | asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> "Config":
        """Return the recipe of to_json's text, or of an earlier version's. Raises InputError."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not valid JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError(f"expected a JSON object, got {values!r:.60}")

        for name, today in RETIRED.items():
            if name in values and today is not None and values[name] != today:
                raise InputError(
                    f"{name} is {values[name]!r:.60}, an option that is gone: "
                    "use the version of jaxae that wrote it"
                )
        known = {name: value for name, value in values.items() if name not in {"data", *RETIRED}}
        return Config(**EARLIER | known)

    def differences(self, other: "Config") -> list[str]:
        """Return "option: mine, not theirs" for each option in which two recipes differ."""
        mine, theirs = vars(self), vars(other)
        return [f"{k}: {mine[k]}, not {theirs[k]}" for k in mine if mine[k] != theirs[k]]


def _one_line(location: tuple[int | str, ...], message: str, value: object) -> str:
    name = repr(".".join(map(str, location)) or "the recipe")[1:-1]  # it may hold line breaks
    reason = message.removeprefix("Value error, ")
    return f"{name} is {value!r:.60}: {reason[0].lower()}{reason[1:]}"


CLEAN = Config(noise_range=(0.0, 0.4), dropout=(0.0, 0.0, 0.0))

PRESETS = {
    "default": Config(),
    "clean": CLEAN,
    "map": replace(CLEAN, neighbor_weight=1.0, learning_rate=1e-3),
}
"""Recipes by name: the default; lower errors, without dropout; and the same with an ordered map."""
