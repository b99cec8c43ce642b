"""What training says: functions that return lines to print, and the clock behind them. Nothing here writes a file."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, SupportsInt, TypeVar

import jax
import numpy as np

from jaxae.build import state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.data.dataset import Dataset
from jaxae.train.epoch import EpochResult
from jaxae.train.population import labels, varying

P = ParamSpec("P")
R = TypeVar("R")


class Clock:
    """Times epochs of so many images each; it starts when it is made."""

    def __init__(self, images: int) -> None:
        self.images, self.lap_seconds, self.began = images, math.inf, time.perf_counter()
        self.laps: list[float] = []

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self.began

    def timed(self, run_epoch: Callable[P, R]) -> Callable[P, R]:
        """The same function, whose last call counts as the last epoch."""

        def timed_epoch(*args: P.args, **kwargs: P.kwargs) -> R:
            began = time.perf_counter()
            result = run_epoch(*args, **kwargs)
            self.lap_seconds = time.perf_counter() - began
            return result

        return timed_epoch

    def lap(self, *, epochs_left: int) -> dict[str, int]:
        """Of metrics.jsonl, for the last epoch: images a second, at most so many seconds left, by all epochs but the first."""
        self.laps.append(self.seconds)
        each = np.diff(self.laps).mean() if len(self.laps) > 1 else self.laps[0]
        return {
            "images_per_s": round(self.images / self.lap_seconds),
            "seconds_left": round(each * epochs_left),
        }


def begin_lines(
    place: str, epochs: Iterable[int], configs: Sequence[Config], dataset: Dataset
) -> list[str]:
    """Where the run is kept, and after which epoch it goes on; its data, model and recipe."""
    done, config = list(epochs), configs[0]
    sizes = [f"{len(part.images):,}" for part in (dataset.train, dataset.validation, dataset.test)]
    pixels, shape = math.prod(dataset.image_shape), "×".join(map(str, dataset.image_shape))
    widths = "→".join(map(str, config.widths))
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state_shapes(config).params))
    several = f"{len(configs)} members that differ in {', '.join([*varying(configs), 'seed'])}"
    noise = " to ".join(f"{level:g}" for level in config.noise_range or [config.noise_factor])
    return [
        f"Resuming after epoch {span(done)} in {place}" if any(done) else f"Training in {place}",
        f"  data    {dataset.title}, images of {shape}: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test",
        f"          from {dataset.source}",
        f"  model   {pixels}→{widths}→{config.latent_dim} and back, {parameters:,} parameters",
        f"  recipe  at most {config.epochs} epochs, batches of {config.batch_size}, noise {noise}, "
        + (
            f"learning rate {config.learning_rate:g}, seed {config.seed}"
            if len(configs) == 1
            else several
        ),
    ]


def compiled_line(steps: int, devices: int, kind: str) -> str:
    """The line after compilation."""
    many = f"{devices} × " if devices > 1 else ""
    return f"Compiled for {many}{kind}: {steps} steps an epoch. * is a new best; the time left is an upper bound."


def nothing_to_do_line(place: str, states: Sequence[TrainState]) -> str:
    """The line for a run that is finished."""
    done, best = span(state.epoch for state in states), span(state.best_epoch for state in states)
    return f"{place} is finished: epoch {done}, best epoch {best}. --overwrite trains it again."


def epoch_line(rows: Sequence[dict[str, Any]], epochs: int, *, members: int = 1) -> str:
    """An epoch's rows of metrics.jsonl, one for each member still in training, for the screen; * marks a new best.

    Of several members: how many are in training, mean losses, the standard deviation over members, the images of all.
    """
    n, best = len(rows), "*" if any(row["best"] for row in rows) else " "
    minutes, seconds = divmod(rows[-1]["seconds_left"], 60)
    train, losses = (
        np.array([row[name] for row in rows]) for name in ("train_loss", "validation_loss")
    )
    number = f"epoch {max(row['epoch'] for row in rows):3d}/{epochs}  "
    speed = f"{sum(row['images_per_s'] for row in rows):6,d} images/s"
    if members == 1:
        reached = f"train {train[0]:.5f}  validation {losses[0]:.5f} {best}  lr {rows[0]['learning_rate']:.1e}"
        return f"{number}{reached}  {speed}  {minutes}:{seconds:02d} left"
    spread = losses.std(ddof=1) if n > 1 else 0.0
    reached = f"train {train.mean():.4f}  validation {losses.mean():.5f} ± {spread:.4f} {best}"
    return f"{number}{n} of {members}  {reached}  {speed}  {minutes}:{seconds:02d} left"


def drop_lines(
    before: float | None, row: Mapping[str, Any], *, restore_best: bool = False
) -> list[str]:
    """A line where the learning rate of this epoch is lower than that of the one before, and where it began."""
    now = row["learning_rate"]
    if before is None or now >= before:
        return []
    drop = f"The validation loss has stopped falling: the learning rate drops from {before:.1e} to {now:.1e}."
    return (
        [drop, "This epoch began with the weights of the best one before."]
        if restore_best
        else [drop]
    )


def broken_lines(configs: Sequence[Config], result: EpochResult, lost: np.ndarray) -> list[str]:
    """A line for each member of several whose loss has broken in this epoch. lost: which, bool[M]."""
    names, left = labels(configs), "is left alone: its loss is no longer a finite number"
    return [
        f"Member {k} ({names[k]}) {left} {_where(result, k)}"
        for k in np.flatnonzero(lost)
        if len(configs) > 1
    ]


def all_broken(configs: Sequence[Config], result: EpochResult, lost: np.ndarray) -> str:
    """The error when the loss of every member has broken. result: of the last epoch; lost: which broke in it, bool[M]."""
    k = int(np.flatnonzero(lost)[-1])
    whose = "loss is" if len(configs) == 1 else "loss of every member is"
    return (
        f"The {whose} no longer a finite number{'' if len(configs) == 1 else ', the last'} {_where(result, k)}. "
        f"Epoch {result.epoch[k] - 1} is the last good one, and the best stays the best; to go on, train in another "
        f"--run-dir with a lower --learning-rate than {min(config.learning_rate for config in configs):g}, afresh or with "
        "--resume-from this run"
    )


def end_lines(configs: Sequence[Config], states: Sequence[TrainState], seconds: float) -> list[str]:
    """The last lines: epochs, best epochs, and the validation loss there, of many a mean."""
    losses = np.array([float(state.best_loss) for state in states])
    done, best = span(state.epoch for state in states), span(state.best_epoch for state in states)
    mean, kind = np.mean(losses, where=np.isfinite(losses)), "mean " if len(states) > 1 else ""
    minutes, rest = divmod(round(seconds), 60)
    time_taken = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return [
        f"Finished after epoch {done} in {time_taken}; best epoch {best}, {kind}validation loss {mean:.5f}."
    ]


def span(numbers: Iterable[SupportsInt]) -> str:
    """Whole numbers as "3", or "3 to 7"."""
    found = sorted({int(number) for number in numbers})
    return " to ".join(map(str, itertools.chain(found[:1], found[1:][-1:])))


def _where(result: EpochResult, k: SupportsInt) -> str:
    step, epoch = result.broken_step[int(k)], result.epoch[int(k)]
    return f"at step {step} of epoch {epoch}" if step else f"in the validation of epoch {epoch}"
