"""What training says: functions that return lines to print, and the clock behind them. Nothing here writes a file."""

import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, SupportsInt

import numpy as np

from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.train.epoch import EpochResult
from jaxae.train.population import labels


class Clock:
    """Times epochs of so many images each; it starts when it is made."""

    def __init__(self, images: int) -> None:
        self.images, self.epochs, self.began = images, 0, time.perf_counter()
        self.lap_began = self.began

    def lap(self, *, epochs_left: int) -> dict[str, int]:
        """The row of metrics.jsonl for the epoch that has just ended: images a second, and at most so many seconds left."""
        now = time.perf_counter()
        self.epochs += 1
        rate, left = self.images / (now - self.lap_began), (now - self.began) / self.epochs * epochs_left
        self.lap_began = now
        return {"images_per_s": round(rate), "seconds_left": round(left)}


def begin_line(place: str, epochs: Iterable[int]) -> str:
    """The first line: where a run is kept, and after which epoch it goes on."""
    done = list(epochs)
    return f"Resuming after epoch {span(done)} in {place}" if any(done) else f"Training in {place}"


def compiled_line(steps: int, devices: int, kind: str) -> str:
    """The line after compilation."""
    return f"Compiled for {f'{devices} × ' if devices > 1 else ''}{kind}: {steps} steps an epoch"


def nothing_to_do_line(place: str, states: Sequence[TrainState]) -> str:
    """The line for a run that is finished."""
    done, best = span(state.epoch for state in states), span(state.best_epoch for state in states)
    return f"{place} is finished: epoch {done}, best epoch {best}. --overwrite trains it again."


def epoch_line(rows: Sequence[dict[str, Any]], epochs: int, *, members: int = 1) -> str:
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


def broken_lines(configs: Sequence[Config], result: EpochResult, active: np.ndarray) -> list[str]:
    """A line for each member of several whose loss has broken in this epoch; active: those that took it."""
    names = labels(configs)
    lost = np.flatnonzero(active & ~result.finite) if len(configs) > 1 else ()
    return [f"Member {k} ({names[k]}) is left alone: its loss is no longer a finite number {_where(result, k)}" for k in lost]


def all_broken(configs: Sequence[Config], result: EpochResult) -> str:
    """The error when the loss of every member has broken; result: of the last epoch."""
    k = int(np.flatnonzero(~result.finite)[-1])
    whose = "loss is" if len(configs) == 1 else "loss of every member is"
    return (
        f"The {whose} no longer a finite number{'' if len(configs) == 1 else ', the last'} {_where(result, k)}. "
        f"Epoch {result.epoch[k] - 1} is the last good checkpoint, and the best stays the best; to go on, train in another "
        f"--run-dir with a lower --learning-rate than {configs[k].learning_rate:g}"
    )


def end_line(states: Sequence[TrainState]) -> str:
    """The last line: epochs, best epochs, and the validation loss there, on average over members that have one."""
    losses = np.array([float(state.best_loss) for state in states])
    done, best = span(state.epoch for state in states), span(state.best_epoch for state in states)
    mean, kind = np.mean(losses, where=np.isfinite(losses)), "mean " if len(states) > 1 else ""
    return f"Finished after epoch {done}; best epoch {best}, {kind}validation loss {mean:.5f}."


def span(numbers: Iterable[SupportsInt]) -> str:
    """Whole numbers as "3", or "3 to 7"."""
    found = sorted({int(number) for number in numbers})
    return " to ".join(map(str, itertools.chain(found[:1], found[1:][-1:])))


def _where(result: EpochResult, k: SupportsInt) -> str:
    step, epoch = result.broken_step[int(k)], result.epoch[int(k)]
    return f"at step {step} of epoch {epoch}" if step else f"in the validation of epoch {epoch}"
