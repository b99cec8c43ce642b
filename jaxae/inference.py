"""A trained model, and what it does with images; and the noise that all evaluations share."""

import functools
import math
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxae.build import build_model
from jaxae.config import Config
from jaxae.core.corruption import add_noise_to_each
from jaxae.core.images import as_array, as_bytes_or_unit, bytes_to_unit
from jaxae.core.model import Autoencoder
from jaxae.core.rng import Stream, derive, derive_each, root_key
from jaxae.core.state import init_variables
from jaxae.data.large import Subset
from jaxae.errors import InputError, expand
from jaxae.runs import directory, files
from jaxae.runs.checkpoint import load_best
from jaxae.runs.manifest import owner_of
from jaxae.switches import refuse_after_fork, usual_switches

COUNTERS = 2**32
"""Number of counters that a key tells apart."""

RELEASED = Path(__file__).parent / "released"
"""The released run, which travels with the package."""

FEW, MANY = 32, 1000
"""Rows in a batch: fewer are filled up, so that programs are compiled for two shapes."""


class Run(NamedTuple):
    """A trained model: what `model.apply(variables, images)` needs, and where it comes from."""

    config: Config
    model: Autoencoder
    variables: dict[str, Any]
    epoch: int
    """The epoch of the variables: by default the one of lowest validation loss."""
    data_sha256: str | None = None
    """Dataset.digest of what it was trained on, where that is known."""
    white: int | None = None
    """Dataset.white of what it was trained on: new pictures of 16 bits are scaled by it."""


@usual_switches()
def load(run_dir: str | Path, *, epoch: int | None = None) -> Run:
    """Return the best checkpoint of a run directory, on this machine's first device.

    run_dir: "released" is the run that comes with jaxae, unless there is such a directory here.
    epoch: take this epoch's checkpoint instead. A run keeps the best and the two latest.
    Raises InputError; for a damaged checkpoint it names the epochs that are whole.

    >>> run = jaxae.load("released")
    >>> run.config.dataset, run.config.noise_factor, run.model.latent_dim
    ('fashion_mnist', 0.25, 2)
    """
    place = expand(run_dir)
    if str(run_dir) == RELEASED.name and not place.exists():
        place = RELEASED
    config = directory.read_config(place)
    model = build_model(config)
    like = jax.eval_shape(functools.partial(init_variables, model=model), root_key(0))
    best = load_best(place, like, owner=owner_of(config), epoch=epoch)

    environment = files.read_json(place / "environment.json")
    data_sha256 = best.owner.data_sha256 or environment.get("data_sha256")
    white = environment.get("white")
    if white is not None and (type(white) is not int or not 0 < white < 2**16):
        raise InputError(
            f"{place / 'environment.json'} has white {white!r:.60}: "
            "give the whole number of 16 bits that is white in its data, or leave it out"
        )
    return Run(config, model, best.variables, best.epoch, data_sha256, white)


@usual_switches()
def reconstruct(run: Run, images: ArrayLike) -> np.ndarray:
    """Return denoised images, f32 in [0, 1], of the shape of the images.

    images: [N, H, W, C], or [N, H, W] of one channel; floats in [0, 1], or uint8, which is divided
    by 255. Raises InputError.

    >>> denoised = jaxae.reconstruct(run, jaxae.corrupt(images, std=0.25))
    >>> denoised.shape, denoised.dtype.name
    ((5, 28, 28, 1), 'float32')
    """
    return _apply(run, "__call__", _fitting(run, images)).reshape(np.shape(images))


@usual_switches()
def encode(run: Run, images: ArrayLike) -> np.ndarray:
    """Return latents, f32[N, latent_dim], of images as reconstruct takes them. Raises InputError.

    >>> jaxae.encode(run, images).shape
    (5, 2)
    """
    return _apply(run, "encode", _fitting(run, images))


@usual_switches()
def decode(run: Run, latents: ArrayLike) -> np.ndarray:
    """Return images, f32[N, H, W, C] in [0, 1], of latents, finite numbers [N, latent_dim].

    Raises InputError.

    >>> jaxae.decode(run, [[0.0, 1.5]]).shape
    (1, 28, 28, 1)
    """
    check_run(run)
    array = as_array("latents", latents)
    width = run.model.latent_dim
    if array.ndim != 2 or array.shape[1] != width:
        raise InputError(f"latents have the shape {list(array.shape)}: give [N, {width}]")

    largest = np.finfo(np.float32).max
    if array.dtype.kind not in "fiu" or not (np.abs(array) <= largest).all():  # false for NaN too
        raise InputError(f"latents are {array.dtype}, or not finite: give finite real numbers")
    return _apply(run, "decode", array.astype(np.float32))


@usual_switches()
def corrupt(
    images: ArrayLike, *, std: float, draw: int = 0, indices: ArrayLike | None = None
) -> np.ndarray:
    """Add Gaussian noise of this standard deviation and clip to [0, 1]: f32, the images' shape.

    The noise of an image is a function of draw and of its index in the split alone: the same image
    has the same noise in every table and figure. images: as reconstruct takes them. indices:
    int[N], by default 0, 1, …. Raises InputError.

    >>> noisy = jaxae.corrupt(images, std=0.25)
    >>> np.array_equal(noisy[3:], jaxae.corrupt(images[3:], std=0.25, indices=[3, 4]))
    True
    """
    if not isinstance(std, Real) or not 0 <= std < math.inf:
        raise InputError(
            f"noise_factor (std) is {std!r:.60}: give a standard deviation of 0 or more"
        )
    if not isinstance(draw, Integral) or not 0 <= draw < COUNTERS:
        raise InputError(f"draw is {draw!r:.60}: give a whole number of 0 or more, below 2³²")

    clean = as_bytes_or_unit(images)
    places = np.arange(len(clean)) if indices is None else as_array("indices", indices)
    whole = np.issubdtype(places.dtype, np.integer) and ((places >= 0) & (places < COUNTERS)).all()
    if places.shape != (len(clean),) or not whole:
        raise InputError(
            f"indices are {places.dtype}{list(places.shape)}: "
            "give a whole number of 0 or more, below 2³², for each image"
        )

    add_noise = functools.partial(_noise_program, std=std, draw=np.uint32(draw))
    return in_batches(add_noise, places.astype(np.uint32), clean).reshape(np.shape(images))


def noise_keys(
    stream: Stream, draw: jax.typing.ArrayLike, indices: jax.typing.ArrayLike
) -> jax.Array:
    """Return the keys of evaluation noise, one for each index of an image in its split."""
    return derive_each(derive(root_key(0), stream, draw), indices)


def in_batches(program: Callable[..., jax.Array], *columns: np.ndarray) -> np.ndarray:
    """Apply a program, which treats each row alone, batch by batch: arrays [N, ...] → [N, ...].

    Bytes are scaled to [0, 1].
    """
    refuse_after_fork()
    count = len(columns[0])
    size = FEW if count <= FEW else MANY

    results = []
    for start in range(0, count or 1, size):
        batch = [bytes_to_unit(_filled(rows[start : start + size], size)) for rows in columns]
        results.append(program(*batch))
    return np.concatenate(results)[:count]


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    missing = np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)
    return np.concatenate([rows, missing])


def check_run(run: Run) -> None:
    """Raise InputError for what is no Run, such as the path of one."""
    if not isinstance(run, Run):
        raise InputError(f"run is {run!r:.60}: give what jaxae.load or jaxae.fit returns")


def _fitting(run: Run, images: ArrayLike) -> np.ndarray:
    check_run(run)
    # A Subset is read batch by batch: it may be larger than the memory.
    array: Any = images if isinstance(images, Subset) else as_bytes_or_unit(images)
    if array.shape[1:] != tuple(run.model.image_shape):
        height, width, channels = run.model.image_shape
        wanted = f"[N, {height}, {width}, {channels}]"
        if channels == 1:
            wanted += f" or [N, {height}, {width}]"
        raise InputError(f"images have the shape {list(np.shape(images))}: give {wanted}")
    return array


def _apply(run: Run, method: str, rows: np.ndarray) -> np.ndarray:
    program = functools.partial(_model_program, run.variables, model=run.model, method=method)
    return in_batches(program, rows)


@functools.partial(jax.jit, static_argnames=("model", "method"))
def _model_program(
    variables: dict[str, Any], rows: jax.Array, *, model: Autoencoder, method: str
) -> Any:
    return model.apply(variables, rows, method=method)


@jax.jit
def _noise_program(
    indices: jax.Array, images: jax.Array, *, std: jax.Array, draw: jax.Array
) -> jax.Array:
    return add_noise_to_each(noise_keys(Stream.EVALUATION, draw, indices), images, std=std)
