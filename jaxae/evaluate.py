"""Evaluation of a run's best checkpoint over a split: exact means over all images, beside rows that cost nothing."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae import checkpoint, rundir
from jaxae.config import Config
from jaxae.corruption import add_gaussian_noise
from jaxae.data import Dataset, check_data
from jaxae.environment import versions
from jaxae.errors import InputError
from jaxae.metrics import mae, mse, psnr, ssim
from jaxae.model import LATENT, SIDE, Autoencoder
from jaxae.rng import Stream, derive, root_key
from jaxae.state import build_model, init_variables
from jaxae.step import to_unit

BATCH = 1000
NOISE_KEY = "threefry2x32, seed 0, stream EVALUATION"


class Run(NamedTuple):
    """A trained model: what `model.apply(variables, images)` needs, and where it comes from."""

    config: Config
    model: Autoencoder
    variables: dict[str, Any]
    epoch: int


def load_run(run_dir: str | Path) -> Run:
    """The best checkpoint of a run directory, on this machine's first device. Raises InputError."""
    config = rundir.read_config(Path(run_dir))
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


def evaluate(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> dict[str, Any]:
    """The contents of evaluation.json: the metrics of the test split for the model and for two rows that do not learn."""
    check_data(run.config, dataset)
    clean = to_unit(dataset.test.images)
    noisy = corrupt(clean, std=noise_factor)
    mean_image = to_unit(dataset.train.images).mean(axis=0, dtype=np.float64).astype(np.float32)
    return {
        "data": run.config.data_title,
        "data_sha256": dataset.digest,
        "split": f"test, {len(clean)} images",
        "noise_factor": noise_factor,
        "noise_key": NOISE_KEY,
        "checkpoint_epoch": run.epoch,
        "versions": versions(),
        "rows": {
            "jaxae, noisy input": summarise(reconstruct(run, noisy), clean),
            "jaxae, clean input": summarise(reconstruct(run, clean), clean),
            "do nothing, noisy input": summarise(noisy, clean),
            "mean training image": summarise(np.broadcast_to(mean_image, clean.shape), clean),
        },
    }


def summarise(output: np.ndarray, target: np.ndarray) -> dict[str, float | None]:
    """Means over all images of two f32[N, 28, 28] in [0, 1]; null stands for an infinite PSNR."""
    squared = np.asarray(mse(output, target), np.float64)
    if not np.isfinite(squared).all():
        raise InputError(f"The output for image {np.flatnonzero(~np.isfinite(squared))[0]} is not finite: the model is broken")
    similarity = ssim(output, target)
    values = {
        "mse": squared.mean(),
        "mae": np.asarray(mae(output, target), np.float64).mean(),
        "psnr_of_mean_mse_db": psnr(squared.mean()),
        "mean_of_image_psnr_db": psnr(squared).mean(),
        "ssim_mean": similarity.mean(),
        "ssim_std": similarity.std(),
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def table(evaluation: dict[str, Any]) -> str:
    """evaluation.json for a person."""
    e = evaluation
    lines = [
        f"{e['data']}, {e['split']}, noise {e['noise_factor']} ({e['noise_key']}), checkpoint of epoch {e['checkpoint_epoch']}",
        ", ".join(f"{name} {version}" for name, version in e["versions"].items()),
        "",
        f"{'':24} {'MSE':>8} {'MAE':>8} {'PSNR of mean MSE':>17} {'mean image PSNR':>16} {'SSIM (mean ± std)':>18}",
    ]
    for name, row in e["rows"].items():
        cell = {key: np.inf if value is None else value for key, value in row.items()}
        lines.append(
            f"{name:24} {cell['mse']:8.5f} {cell['mae']:8.5f} {cell['psnr_of_mean_mse_db']:14.2f} dB"
            f" {cell['mean_of_image_psnr_db']:13.2f} dB {cell['ssim_mean']:10.3f} ± {cell['ssim_std']:.3f}"
        )
    return "\n".join(lines)


def image_psnr(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """PSNR of each image in dB. f32[..., 28, 28] in [0, 1] twice → f64[...]."""
    return psnr(np.square(output - target).mean(axis=(-2, -1)))


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
