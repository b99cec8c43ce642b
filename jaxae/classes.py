"""Each class on its own: how well a run reconstructs it, and whether its latents tell it from the others."""

from typing import Any

import numpy as np

from jaxae.data import CLASSES, Dataset, check_data
from jaxae.embedding import knn_predict
from jaxae.evaluate import Run, corrupt, encode, reconstruct, summarise
from jaxae.step import to_unit

NEIGHBOURS = 5


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


def table(classes: dict[str, dict[str, Any]]) -> str:
    """The classes of evaluation.json for a person."""
    lines = [f"{'noisy input, by class':24} {'MSE':>8} {'MAE':>8} {'PSNR of mean MSE':>17} {'SSIM':>6} {'5-NN recall':>12}"]
    for name, row in classes.items():
        decibels = np.inf if row["psnr_of_mean_mse_db"] is None else row["psnr_of_mean_mse_db"]
        lines.append(
            f"{name:24} {row['mse']:8.5f} {row['mae']:8.5f} {decibels:14.2f} dB {row['ssim_mean']:6.3f}"
            f" {100 * row[f'recall_{NEIGHBOURS}nn']:10.1f} %"
        )
    return "\n".join(lines)
