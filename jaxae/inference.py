"""A trained model and what it does with images: encode, decode, reconstruct."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_model
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.model import LATENT, SIDE, Autoencoder
from jaxae.core.state import init_variables
from jaxae.errors import InputError
from jaxae.rng import Stream, derive, root_key
from jaxae.runs import checkpoint, directory

BATCH = 1000


class Run(NamedTuple):
    """A trained model: what `model.apply(variables, images)` needs, and where it comes from."""

    config: Config
    model: Autoencoder
    variables: dict[str, Any]
    epoch: int


def load_run(run_dir: str | Path) -> Run:
    """The best checkpoint of a run directory, on this machine's first device. Raises InputError."""
    config = directory.read_config(Path(run_dir))
    model = build_model(config)
    like = jax.eval_shape(functools.partial(init_variables, model=model), root_key(0))
    variables, epoch = checkpoint.load_best(Path(run_dir), like)
    return Run(config, model, variables, epoch)


def reconstruct(run: Run, images: np.ndarray) -> np.ndarray:
    """Denoised images. f32[N, 28, 28] in [0, 1] → f32[N, 28, 28] in [0, 1], for any N."""
    return _in_batches(run, _checked(images), "__call__")


def encode(run: Run, images: np.ndarray) -> np.ndarray:
    """Latent codes. f32[N, 28, 28] in [0, 1] → f32[N, 2], for any N."""
    return _in_batches(run, _checked(images), "encode")


def decode(run: Run, latents: np.ndarray) -> np.ndarray:
    """Images of latent codes. f32[N, 2] → f32[N, 28, 28] in (0, 1), for any N."""
    if latents.ndim != 2 or latents.shape[1] != LATENT:
        raise InputError(f"latents have the shape {list(latents.shape)}: give [N, {LATENT}]")
    return _in_batches(run, latents, "decode")


def corrupt(images: np.ndarray, *, std: float, draw: int = 0) -> np.ndarray:
    """Gaussian noise, of draw 0 in all evaluations and figures of a single draw. f32[N, 28, 28] in [0, 1], in and out."""
    if not 0 <= std < np.inf:
        raise InputError(f"noise_factor is {std}: give a standard deviation of 0 or more")
    return np.asarray(add_gaussian_noise(derive(root_key(0), Stream.EVALUATION, draw), jnp.asarray(images), std=std))


def _checked(images: np.ndarray) -> np.ndarray:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise InputError(f"images have the shape {list(images.shape)}: give [N, {SIDE}, {SIDE}]")
    return images


def _in_batches(run: Run, rows: np.ndarray, method: str) -> np.ndarray:
    starts = range(0, len(rows) or 1, BATCH)
    return np.concatenate([_apply(run.variables, rows[i : i + BATCH], model=run.model, method=method) for i in starts])


@functools.partial(jax.jit, static_argnames=("model", "method"))  # here, so that each shape is compiled once a process
def _apply(variables: dict[str, Any], rows: jax.Array, *, model: Autoencoder, method: str) -> Any:
    return model.apply(variables, rows, method=method)
