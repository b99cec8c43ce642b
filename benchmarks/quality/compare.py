"""Trains each preset with several seeds, scores each run on the test images, and prints means and standard deviations."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.quality import compare_figure
from jaxae.cli import command, messages
from jaxae.config import PRESETS
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.latent_scorecard import PUBLISHED, score_latent
from jaxae.evaluation.reconstruction import evaluate
from jaxae.evaluation.records import (
    Evaluation,
    LatentScores,
    Scorecard,
    read_record,
    write_record,
)
from jaxae.inference import load
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members

COLUMNS = {
    "noisy MSE": ("noisy", "mse", 5),
    "noisy MAE": ("noisy", "mae", 5),
    "SSIM": ("noisy", "ssim_mean", 3),
    "clean MSE": ("clean", "mse", 5),
    "5-NN": ("ours", "knn_5", 4),
    "trust k=5": ("ours", "trust_k5", 4),
    "ℓ-Trust": ("ours", "l_trust", 4),
    "ℓ-Cont": ("ours", "l_cont", 4),
    "ℓ-MRRE": ("ours", "l_mrre", 4),
    "KL0.1": ("ours", "kl_0_1", 4),
}


def main(
    presets: tuple[str, ...] = tuple(PRESETS),
    seeds: int = 5,
    place: Path = Path("checkpoints/compare"),
    epochs: int | None = None,
    figure: Path | None = None,
) -> None:
    """Trains what is not trained yet, scores what is not scored yet, and prints a table. An hour or two of training a preset.

    Args:
        presets: Names of the recipes.
        seeds: Number of seeds, from 0.
        place: Folder of the runs, PRESET-SEED.
        epochs: Most epochs, in the place of the preset's own.
        figure: A file for a picture of the runs beside what others have published.
    """
    if seeds < 1:
        raise InputError(f"seeds is {seeds}: give 1 or more")
    if unknown := set(presets) - set(PRESETS):
        raise InputError(f"{unknown.pop()} is no preset: there are {', '.join(PRESETS)}")
    dataset = load_dataset("auto", report=messages.say)
    print(f"| {dataset.name}, {seeds} seeds | validation loss | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|", flush=True)
    latent: dict[str, list[LatentScores]] = {preset: [] for preset in presets}
    for preset in presets:
        rows = []
        for seed in range(seeds):
            config = replace(PRESETS[preset], dataset=dataset.name, seed=seed)
            config = replace(config, epochs=epochs) if epochs else config
            directory = run_directory(place / f"{preset}-{seed}", config)
            state = fit_members([config], dataset, [directory], report=messages.say)[0]
            quality, scorecard = scores(directory, dataset)
            latent[preset].append(scorecard.ours)
            found = {"noisy": quality.noisy, "clean": quality.clean, "ours": scorecard.ours}
            rows.append(
                [
                    float(state.best_loss),
                    *(getattr(found[row], field) for row, field, _ in COLUMNS.values()),
                ]
            )
        mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1 if seeds > 1 else 0)
        digits = [5, *(column[-1] for column in COLUMNS.values())]
        cells = [f"{m:.{d}f} ± {s:.{d}f}" for m, s, d in zip(mean, deviation, digits, strict=True)]
        print(f"| {preset} | " + " | ".join(cells) + " |", flush=True)
        for seed, row in enumerate(rows):
            print(
                f"| {preset}, seed {seed} | "
                + " | ".join(f"{v:.{d}f}" for v, d in zip(row, digits, strict=True))
                + " |"
            )
    if figure:
        title = (
            f"Maps and reconstructions of {dataset.title} test images: better is up and to the left"
        )
        drawn = compare_figure.draw(latent, published=PUBLISHED.get(dataset.name, {}), title=title)
        drawn.savefig(figure, dpi=200)
        messages.say(f"Wrote {figure}")


def scores(directory: Path, dataset: Dataset) -> tuple[Evaluation, Scorecard]:
    """Return the run's evaluation and scorecard; both are measured and written if they are missing."""
    run = load(directory)
    quality = read_record(directory / "evaluation.json", Evaluation)
    if quality is None or (quality.about.checkpoint_epoch, quality.noise_factor) != (
        run.epoch,
        0.25,
    ):
        quality = evaluate(run, dataset)
        write_record(directory / "evaluation.json", quality)
    latent = read_record(directory / "latent_scorecard.json", Scorecard)
    if latent is None or latent.about.checkpoint_epoch != run.epoch:
        latent = score_latent(run, dataset)
        write_record(directory / "latent_scorecard.json", latent)
    return quality, latent


if __name__ == "__main__":
    command.run(main)
