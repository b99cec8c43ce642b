"""What is said, and written down, when a run or a population begins and when it ends."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsInt

import numpy as np

from jaxae import history, rundir
from jaxae.config import Config
from jaxae.data import Dataset
from jaxae.environment import changes, describe_environment
from jaxae.errors import InputError, Report
from jaxae.population import ranking
from jaxae.state import TrainState


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
    changed = [changes(rundir.read_json(run_dir / "environment.json"), environment) for run_dir in run_dirs]
    rewound = [history.rewind(run_dir, epoch) for run_dir, epoch in zip(run_dirs, epochs, strict=False)]
    for line in dict.fromkeys(itertools.chain(*changed, *rewound)):
        report(line)
    for run_dir in run_dirs:
        rundir.write_json(run_dir / "environment.json", environment)


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
