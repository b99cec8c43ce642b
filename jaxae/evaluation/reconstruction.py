"""How well a run reconstructs the test images: exact means over all, and by class, beside rows that cost nothing."""

from typing import Any

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.objective import mae, mse
from jaxae.data.dataset import REFERENCES, Dataset, check_data
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.evaluation.metrics import SSIM_WINDOW, psnr, ssim
from jaxae.evaluation.tables import decibels, markdown
from jaxae.inference import Run, corrupt, encode, reconstruct
from jaxae.runs.environment import DRAWS, settings, variables, versions

NEIGHBOURS = 5
COLUMNS = ("MSE", "MAE", "PSNR of the mean MSE", "mean of image PSNR", "SSIM, mean ± std")
NOISE_KEY = "threefry2x32, seed 0, stream EVALUATION, draw 0, a key for each image"
"""Of the evaluation's noise, where JAX's settings are its defaults."""


def evaluate(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> dict[str, Any]:
    """The contents of evaluation.json: the metrics of the test images, for the model and for two rows that do not learn.

    noise_factor: standard deviation of the noise on the input. All values are for pixels in [0, 1], PSNR in dB; null stands for
    an infinite PSNR, and for the SSIM of images smaller than its window. Raises InputError.

    >>> jaxae.evaluate(run, dataset)["rows"]["jaxae, noisy input"]["mse"]
    0.0240...
    """
    check_data(run.config, dataset, trained_on=run.data_sha256)
    clean = to_unit(dataset.test.images)
    noisy = corrupt(clean, std=noise_factor)
    denoised = per_image(reconstruct(run, noisy), clean)
    mean_image = (dataset.train.images.mean(axis=0, dtype=np.float64) / 255).astype(np.float32)
    return {
        **header(run, dataset, f"test, {len(clean)} images"),
        "noise_factor": noise_factor,
        "noise_key": noise_key(),
        "rows": {
            "jaxae, noisy input": summarise(denoised),
            "jaxae, clean input": summarise(per_image(reconstruct(run, clean), clean)),
            "do nothing, noisy input": summarise(per_image(noisy, clean)),
            "mean training image": summarise(
                per_image(np.broadcast_to(mean_image, clean.shape), clean)
            ),
        },
        "classes": by_class(run, dataset, denoised),
    }


def noise_key() -> str:
    """Where the evaluation's noise comes from: NOISE_KEY, and those of JAX's settings that make it another noise."""
    others = [
        f"NOT the usual noise: {name} is {value}" for name, value in settings(of=DRAWS).items()
    ]
    return ", ".join([NOISE_KEY, *others])


def header(run: Run, dataset: Dataset, images: str) -> dict[str, Any]:
    """What every file of results begins with: the data, which of its images, the checkpoint, the versions."""
    return {
        "dataset": dataset.name,
        "data": dataset.title,
        "data_sha256": dataset.digest,
        "split": images,
        "checkpoint_epoch": run.epoch,
        "versions": versions(),
        **({"settings": unusual} if (unusual := settings() | variables()) else {}),
    }


def per_image(output: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """MSE, MAE and SSIM of each of two f32[N, H, W, C] in [0, 1], f64[N]. Raises InputError where the output is not finite."""
    squared = np.asarray(mse(output, target), np.float64)
    if not np.isfinite(squared).all():
        raise InputError(
            f"The output for image {np.flatnonzero(~np.isfinite(squared))[0]} is not finite: the model is broken"
        )
    similarity = (
        ssim(output, target)
        if min(output.shape[1:3]) >= SSIM_WINDOW
        else np.full(len(output), np.nan)
    )
    return {"mse": squared, "mae": np.asarray(mae(output, target), np.float64), "ssim": similarity}


def summarise(values: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Means of per_image's values over the images."""
    means = {
        "mse": values["mse"].mean(),
        "mae": values["mae"].mean(),
        "psnr_of_mean_mse_db": psnr(values["mse"].mean()),
        "mean_of_image_psnr_db": psnr(values["mse"]).mean(),
        "ssim_mean": values["ssim"].mean(),
        "ssim_std": values["ssim"].std(),
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in means.items()}


def by_class(
    run: Run, dataset: Dataset, values: dict[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """The metrics of each class's test images, from per_image's values, and its recall; nothing for data without labels.

    recall: the share of the class whose clean latent's five nearest training neighbours vote for it.
    """
    train, test = dataset.train.at_most(REFERENCES), dataset.test
    if train.labels is None or test.labels is None:
        return {}
    found = knn_predict(
        encode(run, train.images), train.labels, encode(run, test.images), k=NEIGHBOURS
    )
    return {
        dataset.class_names[label]: {
            "images": int(mine.sum()),
            **summarise({name: each[mine] for name, each in values.items()}),
            f"recall_{NEIGHBOURS}nn": float(np.mean(found[mine] == label)),
        }
        for label, mine in ((label, test.labels == label) for label in np.unique(test.labels))
    }


def table(evaluation: dict[str, Any]) -> str:
    """evaluation.json for a person: what was measured, all images, and each class."""
    e = evaluation
    noise = f"noise {e['noise_factor']} ({e['noise_key']})"
    rows = [[name, *cells(row)] for name, row in e["rows"].items()]
    lines = [introduction(e, noise), "", markdown(["", *COLUMNS], rows)]
    if e["classes"]:
        columns = ["noisy input, by class", *COLUMNS, f"{NEIGHBOURS}-NN recall"]
        recall = f"recall_{NEIGHBOURS}nn"
        classes = [
            [name, *cells(row), f"{100 * row[recall]:.1f} %"] for name, row in e["classes"].items()
        ]
        lines += ["", markdown(columns, classes)]
    return "\n".join(lines)


def introduction(results: dict[str, Any], *more: str) -> str:
    """header's contents, and more, for a person."""
    checkpoint = f"checkpoint of epoch {results['checkpoint_epoch']}"
    first = [results["data"], results["split"], *more, checkpoint]
    machine = results["versions"] | results.get("settings", {})
    return ", ".join(first) + "\n" + ", ".join(f"{name} {value}" for name, value in machine.items())


def cells(row: dict[str, Any]) -> list[str]:
    """summarise's values for a table's COLUMNS."""
    similarity = (
        "" if row["ssim_mean"] is None else f"{row['ssim_mean']:.3f} ± {row['ssim_std']:.3f}"
    )
    peaks = [decibels(row[name]) for name in ("psnr_of_mean_mse_db", "mean_of_image_psnr_db")]
    return [f"{row['mse']:.5f}", f"{row['mae']:.5f}", *peaks, similarity]
