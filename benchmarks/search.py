"""What each choice behind the default recipe is worth: one change at a time, judged on the validation images alone."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxae.cli import command, messages
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.presets import PRESETS
from jaxae.runs import metrics_log
from jaxae.runs.directory import run_directory
from jaxae.train.loop import fit_members

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
    "initializer he_normal": {"initializer": "he_normal"},
    "running statistics": {"statistics_images": 0},
    "running statistics, momentum 0.99": {"statistics_images": 0, "batch_norm_momentum": 0.99},
    "plateau_patience 5": {"plateau_patience": 5},
    "plateau_factor 0.5": {"plateau_factor": 0.5},
    "plain weights": {"average_decay": 0.0},
}


def main(
    preset: str = "default",
    epochs: int = 60,
    seed: int = 0,
    only: tuple[str, ...] = (),
    place: Path = Path("checkpoints/search"),
) -> None:
    """Trains each try, or takes what is there, and prints a table sorted by validation loss. Never reads a test image's error.

    Args:
        preset: The recipe that is changed.
        epochs: Most epochs of a try.
        seed: Seed of all tries.
        only: Names of tries; all by default.
        place: Folder of the runs.
    """
    if unknown := [*({preset} - set(PRESETS)), *(set(only) - set(TRIES))]:
        raise InputError(f"{unknown[0]} is no preset or try: there are {', '.join([*PRESETS, *TRIES])}")
    dataset = load_dataset("auto", report=messages.say)
    rows = []
    for name in only or TRIES:
        config = replace(PRESETS[preset], dataset=dataset.name, epochs=epochs, seed=seed, **TRIES[name])
        folder = re.sub(r"[^\w.-]+", "-", f"{preset}-{epochs}-{seed}-{name}")
        directory = run_directory(place / folder, config)
        messages.say(f"== {name}")
        state = fit_members([config], dataset, [directory], report=messages.say)[0]
        best = next(row for row in metrics_log.read(directory) if row["epoch"] == int(state.best_epoch))
        rows.append((best["validation_loss"], best["validation_mse"], best["epoch"], best["learning_rate"], name))
    print(f"| {preset}, {epochs} epochs, seed {seed} | validation loss | validation MSE | best epoch | learning rate there |")
    print("|---|---|---|---|---|")
    for loss, mse, epoch, rate, name in sorted(rows):
        print(f"| {name} | {loss:.5f} | {mse:.5f} | {epoch} | {rate:.1e} |")


if __name__ == "__main__":
    command.run(main)
