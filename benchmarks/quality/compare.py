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
from jaxae.inference import load
from jaxae.runs import files
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members

COLUMNS = {
    "noisy MSE": ("evaluation.json", "jaxae, noisy input", "mse", 5),
    "noisy MAE": ("evaluation.json", "jaxae, noisy input", "mae", 5),
    "SSIM": ("evaluation.json", "jaxae, noisy input", "ssim_mean", 3),
    "clean MSE": ("evaluation.json", "jaxae, clean input", "mse", 5),
    "5-NN": ("latent_scorecard.json", "jaxae", "knn_5", 4),
    "trust k=5": ("latent_scorecard.json", "jaxae", "trust_k5", 4),
    "ℓ-Trust": ("latent_scorecard.json", "jaxae", "l_trust", 4),
    "ℓ-Cont": ("latent_scorecard.json", "jaxae", "l_cont", 4),
    "ℓ-MRRE": ("latent_scorecard.json", "jaxae", "l_mrre", 4),
    "KL0.1": ("latent_scorecard.json", "jaxae", "kl_0.1", 4),
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
    latent: dict[str, list[dict[str, float]]] = {preset: [] for preset in presets}
    for preset in presets:
        rows = []
        for seed in range(seeds):
            config = replace(PRESETS[preset], dataset=dataset.name, seed=seed)
            config = replace(config, epochs=epochs) if epochs else config
            directory = run_directory(place / f"{preset}-{seed}", config)
            state = fit_members([config], dataset, [directory], report=messages.say)[0]
            found = scores(directory, dataset)
            latent[preset].append(found["latent_scorecard.json"]["jaxae"])
            rows.append(
                [
                    float(state.best_loss),
                    *(found[file][row][key] for file, row, key, _ in COLUMNS.values()),
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


def scores(directory: Path, dataset: Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """The rows of the run's evaluation.json and latent_scorecard.json, which are written where no command has done so."""
    run = load(directory)
    found = {}
    for name in ("evaluation.json", "latent_scorecard.json"):
        made = files.read_json(directory / name)
        if (made.get("checkpoint_epoch"), made.get("noise_factor", 0.25)) != (run.epoch, 0.25):
            made = (
                score_latent(run, dataset)
                if name == "latent_scorecard.json"
                else evaluate(run, dataset)
            )
            files.write_json(directory / name, made)
        found[name] = made["rows"]
    return found


if __name__ == "__main__":
    command.run(main)
