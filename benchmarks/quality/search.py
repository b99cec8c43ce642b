"""Measure what each choice behind the default recipe is worth: one change at a time."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.cli import command, messages
from jaxae.config import PRESETS
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.latent_scorecard import score_latent
from jaxae.evaluation.records import LatentScores
from jaxae.evaluation.tables import markdown
from jaxae.inference import load
from jaxae.runs import metrics_log
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members, settle
from jaxae.train.population import recipes

TRIES: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "learning_rate 3e-3": {"learning_rate": 3e-3},
    "learning_rate 1e-3": {"learning_rate": 1e-3},
    "weight_decay 1e-4": {"weight_decay": 1e-4},
    "weight_decay 0.03": {"weight_decay": 0.03},
    "adam_b2 0.999": {"adam_b2": 0.999},
    "adam_b2 0.9": {"adam_b2": 0.9},
    "clip_norm 0.1": {"clip_norm": 0.1},
    "clip_norm 10": {"clip_norm": 10.0},
    "narrow_shift 0": {"narrow_shift": 0.0},
    "narrow_shift 1": {"narrow_shift": 1.0},
    "neighbor_weight 1": {"neighbor_weight": 1.0},
    "no dropout": {"dropout": (0.0, 0.0, 0.0)},
    "noise 0 to 0.4": {"noise_range": (0.0, 0.4)},
    "running statistics": {"statistics_images": 0},
    "dropout to the end": {"dropout_epochs": 10_000},
    "plateau_patience 4": {"plateau_patience": 4},
    "plateau_patience 10": {"plateau_patience": 10},
    "plateau_factor 0.5": {"plateau_factor": 0.5},
    "no way back": {"restore_best": False},
    "plain weights": {"average_decay": 0.0},
    "matmul_dtype float32": {"matmul_dtype": "float32"},
}
"""What is changed, by name."""


class Values(NamedTuple):
    """What is measured of a run, on the validation images alone."""

    loss: float
    noisy_mse: float
    clean_mse: float
    knn_5: float
    l_trust: float
    l_cont: float
    evenness: float


COLUMNS = ("loss", "noisy MSE", "clean MSE", "5-NN", "ℓ-Trust", "ℓ-Cont", "evenness")
DIGITS = Values(5, 5, 5, 3, 4, 4, 3)


def main(
    preset: str = "default",
    epochs: int = 60,
    seeds: int = 1,
    only: tuple[str, ...] = (),
    place: Path = Path("checkpoints/search"),
) -> None:
    """Train each try, or take what is there, and print a table sorted by validation loss.

    Args:
        preset: The recipe that is changed.
        epochs: Most epochs of a try.
        seeds: Seeds of each try, from 0, trained as one population; the table has means and
            standard deviations.
        only: Names of tries; all by default.
        place: Folder of the runs.
    """
    if preset not in PRESETS:
        raise InputError(f"{preset} is not a preset: there are {', '.join(PRESETS)}")
    if unknown := set(only) - set(TRIES):
        raise InputError(f"{unknown.pop()} is not a try: there are {', '.join(TRIES)}")

    dataset = load_dataset("auto", report=messages.say)
    pca: LatentScores | None = None
    found: dict[str, list[Values]] = {}
    for name in only or TRIES:
        messages.say(f"== {name}")
        config = settle(replace(PRESETS[preset], epochs=epochs, **TRIES[name]), dataset)
        configs = recipes(config, seeds=seeds)
        folder = place / re.sub(r"[^\w.-]+", "-", f"{preset}-{epochs}-{name}")
        directories = [run_directory(folder / str(each.seed), each) for each in configs]
        fit_members(configs, dataset, directories, report=messages.say)
        found[name] = []
        for directory in directories:
            values, pca = measure(directory, dataset, pca)
            found[name].append(values)

    best_first = sorted(found, key=lambda name: np.mean([each.loss for each in found[name]]))
    rows = [[name, *cells(found[name])] for name in best_first]
    print(markdown([f"{preset}, {epochs} epochs, seeds 0 to {seeds - 1}", *COLUMNS], rows))


def measure(
    directory: Path, dataset: Dataset, pca: LatentScores | None
) -> tuple[Values, LatentScores]:
    """Return what a run reaches on the validation images, and PCA's scores, measured once."""
    run = load(directory)
    best = next(row for row in metrics_log.read(directory) if row["epoch"] == run.epoch)
    scores = score_latent(run, dataset._replace(test=dataset.validation), pca=pca)
    ours = scores.ours
    assert ours.mse is not None
    assert ours.knn_5 is not None
    assert ours.l_trust is not None
    assert ours.l_cont is not None
    assert ours.evenness is not None

    values = Values(
        loss=best["validation_loss"],
        noisy_mse=best["validation_mse"],
        clean_mse=ours.mse,
        knn_5=ours.knn_5,
        l_trust=ours.l_trust,
        l_cont=ours.l_cont,
        evenness=ours.evenness,
    )
    return values, scores.pca


def cells(runs: list[Values]) -> list[str]:
    """Return the means, with their sample standard deviations if there are several seeds."""
    means = np.mean(runs, axis=0)
    if len(runs) == 1:
        return [f"{mean:.{digits}f}" for mean, digits in zip(means, DIGITS, strict=True)]
    deviations = np.std(runs, axis=0, ddof=1)
    columns = zip(means, deviations, DIGITS, strict=True)
    return [f"{mean:.{digits}f} ± {std:.{digits}f}" for mean, std, digits in columns]


if __name__ == "__main__":
    command.run(main)
