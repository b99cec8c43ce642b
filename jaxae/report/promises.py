"""What is promised of training and can be checked on the spot: each check runs jaxae's own code and says what it found."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxae.config import Config
from jaxae.core.images import to_unit
from jaxae.core.rng import root_key
from jaxae.core.state import TrainState
from jaxae.core.step import StepOptions, train_step
from jaxae.data.dataset import Dataset, Split
from jaxae.errors import silent
from jaxae.inference import Run
from jaxae.train.loop import fit


class Check(NamedTuple):
    """A promise, what was found, and whether that holds it."""

    promise: str
    found: str
    holds: bool


def check_promises(run: Run, dataset: Dataset) -> list[Check]:
    """What is promised of training, in the order of the report."""
    return [
        *check_training_step(run, dataset),
        check_splits(dataset),
        check_test_untouched(run, dataset),
    ]


class _PassesThrough:
    """In place of the model: it keeps what it is given, and returns it."""

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        self.image_shape, self.seen = image_shape, np.zeros(0)

    def apply(
        self, variables: Any, inputs: jax.Array, **_: Any
    ) -> tuple[tuple[jax.Array, jax.Array], Any]:
        self.seen = np.asarray(inputs)
        return (inputs, inputs + variables["params"]), {"batch_stats": {}}


def check_training_step(run: Run, dataset: Dataset) -> list[Check]:
    """A training step on the first images, with a model that returns its input: what it is given, and what that costs it."""
    images = dataset.train.images[:256]
    clean, model = to_unit(images), _PassesThrough(dataset.image_shape)
    optimizer, zero = optax.sgd(0.0), jnp.float32(0)
    count, key = jnp.zeros((), jnp.int32), root_key(run.config.seed)
    plateau = optax.contrib.reduce_on_plateau().init(zero)
    state = TrainState(
        count, count, zero, {}, optimizer.init(zero), plateau, zero, count, count, key
    )
    options = StepOptions(model, optimizer, run.config.training_noise)  # type: ignore[arg-type]
    _, loss = train_step(state, jnp.asarray(images), options=options)
    error = model.seen.astype(np.float64) - clean
    squares, expected = np.square(error).mean(axis=(1, 2, 3)), _clipped_noise(clean, run.config)
    chance = 5 * float(squares.std()) / len(squares) ** 0.5
    against_clean = float((np.square(error) + np.abs(error)).mean())
    return [
        Check(
            "In training the input is noisy",
            f"mean squared noise of {len(images)} images {squares.mean():.5f}; by the recipe, within chance, {expected:.5f}",
            abs(float(squares.mean()) - expected) <= chance,
        ),
        Check(
            "In training the target is clean",
            f"loss of a model that returns its noisy input {float(loss):.6f}; MSE + L1 to the clean images {against_clean:.6f}",
            bool(np.isclose(float(loss), against_clean, rtol=1e-5)),
        ),
    ]


def _clipped_noise(clean: np.ndarray, config: Config) -> float:
    """The mean of (clip(x + σz, 0, 1) - x)² over these pixels x, a standard normal z and the recipe's σ, by quadrature."""
    values, counts = np.unique(clean, return_counts=True)
    z, weight = np.polynomial.hermite_e.hermegauss(200)
    low, high = config.noise_range or (config.noise_factor, config.noise_factor)
    stds = np.linspace(low, high, 41)
    squared = np.square(
        np.clip(values[:, None, None] + stds[:, None] * z, 0, 1) - values[:, None, None]
    )
    by_std = np.einsum("vsz,z,v->s", squared, weight / weight.sum(), counts / counts.sum())
    return float(np.trapezoid(by_std, stds) / (high - low) if high > low else by_std[0])


def check_splits(dataset: Dataset) -> Check:
    """No image is in two splits; those of equal bytes are counted, which the data themselves may hold."""
    digests = [
        {image.tobytes() for image in part.images}
        for part in (dataset.train, dataset.validation, dataset.test)
    ]
    shared = len(digests[2] & (digests[0] | digests[1]))
    sizes = [f"{len(part.images):,}" for part in (dataset.train, dataset.validation, dataset.test)]
    found = f"{shared} of {sizes[2]} test images have the bytes of one of {sizes[0]} for training or {sizes[1]} for validation"
    return Check("No test image is trained on or validated on", found, shared == 0)


class _Sealed:
    """Images that can be counted, and nothing else."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getattr__(self, name: str) -> Any:
        raise PermissionError(f"the test images were asked for {name}")

    def __getitem__(self, _: Any) -> Any:
        raise PermissionError("a test image was read")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise PermissionError("the test images were read")


def check_test_untouched(run: Run, dataset: Dataset) -> Check:
    """An epoch of the recipe, with a smaller network and fewer images, where whoever reads a test image fails."""
    sealed: Any = _Sealed(len(dataset.test.images))
    train, validation = (Split(part.images[:320]) for part in (dataset.train, dataset.validation))
    guarded = dataset._replace(
        name="sealed", train=train, validation=validation, test=Split(sealed, sealed)
    )
    small: Any = {
        "dataset": "sealed",
        "widths": (8,),
        "epochs": 1,
        "batch_size": min(32, len(train.images)),
    }
    try:
        fit(replace(run.config, **small), dataset=guarded, report=silent)
        found, holds = "an epoch ended as usual", True
    except PermissionError as error:
        found, holds = str(error), False
    return Check(
        "Training reads no test image",
        f"with test images that fail whoever reads them: {found}",
        holds,
    )
