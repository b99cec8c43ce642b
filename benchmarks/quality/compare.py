"""Train each preset with several seeds, and score the runs on the test images."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.quality import compare_figure
from jaxae.cli import command, messages
from jaxae.config import PRESETS
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.latent_scorecard import PUBLISHED, score_latent
from jaxae.evaluation.reconstruction import evaluate
from jaxae.evaluation.records import Evaluation, Scorecard, read_record, write_record
from jaxae.evaluation.tables import markdown
from jaxae.inference import load
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members, settle

NOISE = 0.25
DIGITS = {
    "validation loss": 5,
    "noisy MSE": 5,
    "noisy MAE": 5,
    "SSIM": 3,
    "clean MSE": 5,
    "5-NN": 4,
    "trust k=5": 4,
    "ℓ-Trust": 4,
    "ℓ-Cont": 4,
    "ℓ-MRRE": 4,
    "KL0.1": 4,
    "evenness": 3,
}
"""The columns, with their decimals."""


class Scored(NamedTuple):
    """A run and its scores."""

    best_loss: float
    quality: Evaluation
    latent: Scorecard


def main(
    presets: tuple[str, ...] = tuple(PRESETS),
    seeds: int = 5,
    place: Path = Path("checkpoints/compare"),
    epochs: int | None = None,
    figure: Path | None = None,
) -> None:
    """Train and score what is not there yet, and print means and standard deviations.

    A preset takes an hour or two of training.

    Args:
        presets: Names of the recipes.
        seeds: Number of seeds, from 0.
        place: Folder of the runs, PRESET-SEED.
        epochs: Most epochs, instead of the preset's own.
        figure: A file for a picture of the runs and of published results.
    """
    if seeds < 1:
        raise InputError(f"seeds is {seeds}: give 1 or more")
    if unknown := set(presets) - set(PRESETS):
        raise InputError(f"{unknown.pop()} is not a preset: there are {', '.join(PRESETS)}")

    dataset = load_dataset("auto", report=messages.say)
    runs: dict[str, list[Scored]] = {}
    table = []
    for preset in presets:
        runs[preset] = [
            score(place / f"{preset}-{seed}", preset, seed, dataset, epochs)
            for seed in range(seeds)
        ]
        rows = [values(run) for run in runs[preset]]
        table.append([preset, *mean_cells(rows)])
        for seed, row in enumerate(rows):
            numbers = zip(row, DIGITS.values(), strict=True)
            table.append([f"{preset}, seed {seed}", *(f"{x:.{digits}f}" for x, digits in numbers)])
        messages.say(f"{preset}: " + ", ".join(mean_cells(rows)))
    print(markdown([f"{dataset.name}, {seeds} seeds", *DIGITS], table))

    if figure:
        scores = {preset: [run.latent.ours for run in found] for preset, found in runs.items()}
        published = PUBLISHED.get(dataset.name, {})
        compare_figure.draw(scores, published=published, title=dataset.title).savefig(
            figure, dpi=200
        )
        messages.say(f"Wrote {figure}")


def score(path: Path, preset: str, seed: int, dataset: Dataset, epochs: int | None) -> Scored:
    """Train a run and score it; what is in its directory is taken from there."""
    config = settle(replace(PRESETS[preset], seed=seed), dataset)
    if epochs:
        config = replace(config, epochs=epochs)
    directory = run_directory(path, config)
    state = fit_members([config], dataset, [directory], report=messages.say)[0]
    run = load(directory)

    quality = read_record(directory / "evaluation.json", Evaluation)
    wanted = (run.epoch, NOISE)
    if quality is None or (quality.about.checkpoint_epoch, quality.noise_factor) != wanted:
        quality = evaluate(run, dataset, noise_factor=NOISE)
        write_record(directory / "evaluation.json", quality)

    latent = read_record(directory / "latent_scorecard.json", Scorecard)
    if latent is None or latent.about.checkpoint_epoch != run.epoch:
        latent = score_latent(run, dataset)
        write_record(directory / "latent_scorecard.json", latent)
    return Scored(float(state.best_loss), quality, latent)


def values(run: Scored) -> list[float]:
    """Return a run's values of DIGITS; NaN for what was not measured."""
    noisy, clean, ours = run.quality.noisy, run.quality.clean, run.latent.ours
    found = [
        run.best_loss,
        noisy.mse,
        noisy.mae,
        noisy.ssim_mean,
        clean.mse,
        ours.knn_5,
        ours.trust_k5,
        ours.l_trust,
        ours.l_cont,
        ours.l_mrre,
        ours.kl_0_1,
        ours.evenness,
    ]
    return [float("nan") if value is None else value for value in found]


def mean_cells(rows: list[list[float]]) -> list[str]:
    """Return the mean and the sample standard deviation of each column."""
    means = np.mean(rows, axis=0)
    deviations = np.std(rows, axis=0, ddof=1 if len(rows) > 1 else 0)
    columns = zip(means, deviations, DIGITS.values(), strict=True)
    return [f"{mean:.{digits}f} ± {std:.{digits}f}" for mean, std, digits in columns]


if __name__ == "__main__":
    command.run(main)
