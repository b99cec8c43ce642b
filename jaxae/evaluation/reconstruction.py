"""Evaluation of a run's best checkpoint over a split: exact means over all images, beside rows that cost nothing."""

from typing import Any

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.metrics import mae, mse, psnr, ssim
from jaxae.data.dataset import CLASSES, Dataset, check_data
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.inference import Run, corrupt, encode, reconstruct
from jaxae.runs.environment import versions

NEIGHBOURS = 5
NOISE_KEY = "threefry2x32, seed 0, stream EVALUATION"


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


def by_class(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> dict[str, dict[str, Any]]:
    """The classes of evaluation.json: the metrics of each class's noisy test images, and its recall.

    recall: the share of the class's test images whose clean latent has it as the commonest class among its 5 nearest clean
    training latents.
    """
    check_data(run.config, dataset)
    train, test = dataset.train, dataset.test
    clean = to_unit(test.images)
    denoised = reconstruct(run, corrupt(clean, std=noise_factor))
    latents = encode(run, to_unit(train.images))
    right = knn_predict(latents, train.labels, encode(run, clean), k=NEIGHBOURS) == test.labels
    return {
        name: {
            "images": int(mine.sum()),
            **summarise(denoised[mine], clean[mine]),
            f"recall_{NEIGHBOURS}nn": float(right[mine].mean()),
        }
        for name, mine in ((CLASSES[label], test.labels == label) for label in np.unique(test.labels))
    }


def class_table(classes: dict[str, dict[str, Any]]) -> str:
    """The classes of evaluation.json for a person."""
    lines = [f"{'noisy input, by class':24} {'MSE':>8} {'MAE':>8} {'PSNR of mean MSE':>17} {'SSIM':>6} {'5-NN recall':>12}"]
    for name, row in classes.items():
        decibels = np.inf if row["psnr_of_mean_mse_db"] is None else row["psnr_of_mean_mse_db"]
        lines.append(
            f"{name:24} {row['mse']:8.5f} {row['mae']:8.5f} {decibels:14.2f} dB {row['ssim_mean']:6.3f}"
            f" {100 * row[f'recall_{NEIGHBOURS}nn']:10.1f} %"
        )
    return "\n".join(lines)
