"""What is said, and written down, when a run or a population begins and when it ends."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, SupportsInt

import numpy as np

from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError, Report
from jaxae.runs import files, metrics_log
from jaxae.runs.environment import changes, describe_environment
from jaxae.train.population import ranking


def start(
    place: str,
    config: Config,
    dataset: Dataset,
    run_dirs: Sequence[Path],
    saved: Sequence[TrainState | None],
    running: np.ndarray,
    report: Report,
) -> None:
    """Says what is there, once what is not as it was when the run directories got it, and writes down what is."""
    epochs = [int(state.epoch) if state else 0 for state in saved]
    if not running.any():
        best = span(state.best_epoch for state in saved if state)
        report(f"{place} is finished: epoch {span(epochs)}, best epoch {best}. --overwrite trains it again.")
        return
    report(f"Resuming after epoch {span(epochs)} in {place}" if any(epochs) else f"Training in {place}")
    environment = describe_environment(config.data_title, dataset.digest)
    changed = [changes(files.read_json(run_dir / "environment.json"), environment) for run_dir in run_dirs]
    rewound = [metrics_log.rewind(run_dir, epoch) for run_dir, epoch in zip(run_dirs, epochs, strict=False)]
    for line in dict.fromkeys(itertools.chain(*changed, *rewound)):
        report(line)
    for run_dir in run_dirs:
        files.write_json(run_dir / "environment.json", environment)


def end(place: str, configs: Sequence[Config], states: Sequence[TrainState], report: Report) -> None:
    """Says how it ended; of several members also who is the best. Raises InputError where no loss is finite."""
    losses = [float(s.best_loss) for s in states]
    if not np.isfinite(losses).any():
        raise InputError(f"In {place} no member's loss is finite: take lower learning rates, and another --run-dir")
    best, mean = span(s.best_epoch for s in states), np.mean(losses, where=np.isfinite(losses))
    if len(configs) > 1:
        report(ranking(configs, losses))
    kind = "mean " if len(configs) > 1 else ""
    report(f"Finished after epoch {span(s.epoch for s in states)}; best epoch {best}, {kind}validation loss {mean:.5f}.")


def span(numbers: Iterable[SupportsInt]) -> str:
    """Whole numbers as "3", or "3 to 7"."""
    found = sorted({int(number) for number in numbers})
    return " to ".join(map(str, found[:1] + found[1:][-1:]))


def progress_line(rows: list[dict[str, Any]], epochs: int, *, members: int = 1) -> str:
    """An epoch's rows of metrics.jsonl, one for each member still in training, for the screen; * marks a new best.

    Of several members the means stand there, the validation losses' standard deviation, and all their images.
    """
    last, n = rows[-1], len(rows)
    minutes, seconds = divmod(last["seconds_left"], 60)
    train, validation, rate = (
        sum(row[name] for row in rows) / n for name in ("train_loss", "validation_loss", "learning_rate")
    )
    everyone = sum(row["images_per_s"] for row in rows)
    spread = f" ± {(sum((row['validation_loss'] - validation) ** 2 for row in rows) / max(n - 1, 1)) ** 0.5:.5f}"
    return (
        f"epoch {max(row['epoch'] for row in rows):3d}/{epochs}  {f'{n} of {members} in training  ' if members > 1 else ''}"
        f"train {train:.5f}  validation {validation:.5f}{spread if members > 1 else ''}"
        f" {'*' if any(row['best'] for row in rows) else ' '}  lr {rate:.1e}  {everyone:6,d} images/s"
        f"  at most {minutes}:{seconds:02d} left"
    )
