"""What each choice behind the default recipe is worth: one change at a time, several seeds, on the validation images alone."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.cli import command, messages
from jaxae.config import PRESETS
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.latent_scorecard import score_latent
from jaxae.evaluation.records import LatentScores
from jaxae.evaluation.tables import markdown
from jaxae.inference import encode, load
from jaxae.runs import metrics_log
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members
from jaxae.train.population import recipes

TRIES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "learning_rate 5e-4": {"learning_rate": 5e-4},
    "learning_rate 2e-3": {"learning_rate": 2e-3},
    "weight_decay 1e-4": {"weight_decay": 1e-4},
    "weight_decay 0.03": {"weight_decay": 0.03},
    "adam_b2 0.999": {"adam_b2": 0.999},
    "adam_b2 0.9": {"adam_b2": 0.9},
    "clip_norm 0.1": {"clip_norm": 0.1},
    "clip_norm 10": {"clip_norm": 10.0},
    "narrow_shift 0": {"narrow_shift": 0.0},
    "narrow_shift 1": {"narrow_shift": 1.0},
    "similarity_weight 0.02": {"similarity_weight": 0.02},
    "no dropout": {"dropout": (0.0, 0.0, 0.0)},
    "noise 0 to 0.4": {"noise_range": (0.0, 0.4)},
    "running statistics": {"statistics_images": 0},
    "plateau_patience 5": {"plateau_patience": 5},
    "plateau_patience 15": {"plateau_patience": 15},
    "plateau_factor 0.5": {"plateau_factor": 0.5},
    "plain weights": {"average_decay": 0.0},
    "matmul_dtype bfloat16": {"matmul_dtype": "bfloat16"},
}
DIGITS = {
    "loss": 5,
    "noisy MSE": 5,
    "clean MSE": 5,
    "5-NN": 3,
    "ℓ-Trust": 4,
    "ℓ-Cont": 4,
    "filled": 2,
}
"""The columns, with their decimals. Filled: the share of the map's box that the box of the middle 98 % of the points takes."""


def main(
    preset: str = "default",
    epochs: int = 60,
    seeds: int = 1,
    only: tuple[str, ...] = (),
    place: Path = Path("checkpoints/search"),
) -> None:
    """Trains each try, or takes what is there, and prints a table sorted by validation loss. Never reads a test image.

    Args:
        preset: The recipe that is changed.
        epochs: Most epochs of a try.
        seeds: Seeds of each try, from 0, trained as one population; the table has means and standard deviations.
        only: Names of tries; all by default.
        place: Folder of the runs.
    """
    if unknown := [*({preset} - set(PRESETS)), *(set(only) - set(TRIES))]:
        raise InputError(
            f"{unknown[0]} is no preset or try: there are {', '.join([*PRESETS, *TRIES])}"
        )
    dataset = load_dataset("auto", report=messages.say)
    pca: LatentScores | None = None
    rows = []
    for name in only or TRIES:
        configs = recipes(
            replace(PRESETS[preset], dataset=dataset.name, epochs=epochs, **TRIES[name]),
            seeds=seeds,
        )
        folder = place / re.sub(r"[^\w.-]+", "-", f"{preset}-{epochs}-{name}")
        directories = [run_directory(folder / str(config.seed), config) for config in configs]
        messages.say(f"== {name}")
        fit_members(configs, dataset, directories, report=messages.say)
        found = []
        for directory in directories:
            values, pca = measures(directory, dataset, pca)
            found.append(values)
        each = np.array(found)
        rows.append((each.mean(axis=0), each.std(axis=0, ddof=1) if seeds > 1 else None, name))
    lines = [
        [name, *cells(mean, deviation)]
        for mean, deviation, name in sorted(rows, key=lambda row: row[0][0])
    ]
    print(markdown([f"{preset}, {epochs} epochs, seeds 0 to {seeds - 1}", *DIGITS], lines))


def measures(
    directory: Path, dataset: Dataset, pca: LatentScores | None
) -> tuple[list[float], LatentScores]:
    """Return a run's values of DIGITS on the validation images, and PCA's scores, measured once."""
    run, validation = load(directory), dataset._replace(test=dataset.validation)
    best = next(row for row in metrics_log.read(directory) if row["epoch"] == run.epoch)
    scores = score_latent(run, validation, pca=pca)
    ours, latents = scores.ours, encode(run, dataset.validation.images)
    middle = np.ptp(np.quantile(latents, [0.01, 0.99], axis=0), axis=0) / np.ptp(latents, axis=0)
    latent = [ours.mse, ours.knn_5, ours.l_trust, ours.l_cont]
    values = [best["validation_loss"], best["validation_mse"], *latent, float(middle.prod())]
    return values, scores.pca


def cells(mean: np.ndarray, deviation: np.ndarray | None) -> list[str]:
    """The values of a row, with their standard deviations where there are several seeds."""
    texts = [f"{value:.{digits}f}" for value, digits in zip(mean, DIGITS.values(), strict=True)]
    if deviation is None:
        return texts
    return [
        f"{text} ± {value:.{d}f}"
        for text, value, d in zip(texts, deviation, DIGITS.values(), strict=True)
    ]


if __name__ == "__main__":
    command.run(main)
