"""What training tells: records, and lines of prose. Nothing here writes a file or prints."""

import itertools
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, SupportsInt

import numpy as np

from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.train.epoch import EpochResult
from jaxae.train.population import labels


class Row(NamedTuple):
    """What one member's epoch has come to: a row of metrics.jsonl."""

    member: int
    epoch: int
    step: int
    train_loss: float
    validation_loss: float
    validation_mae: float
    validation_mse: float
    learning_rate: float
    best: bool
    """Its validation loss is the lowest so far."""
    images_per_s: int
    seconds_left: int

    def to_json(self, data: str) -> dict[str, object]:
        """Return the row as metrics.jsonl has it. data: the data set's title."""
        values = self._asdict()
        del values["member"]
        return {"data": data, **values}


class Epoch(NamedTuple):
    """An epoch of all members that took it, as jaxae.fit reports it; str() is its line."""

    rows: tuple[Row, ...]
    """One for each member, with fields such as epoch and validation_loss."""
    most_epochs: int
    members: int
    """How many the population has, those that have ended included."""

    def __str__(self) -> str:
        """Return the line for the screen; * marks a new best.

        Of several members: how many are in training, mean losses, their standard deviation.
        """
        first = self.rows[0]
        best = "*" if any(row.best for row in self.rows) else " "
        number = f"epoch {max(row.epoch for row in self.rows):3d}/{self.most_epochs}  "
        speed = f"{sum(row.images_per_s for row in self.rows):6,d} images/s"
        minutes, seconds = divmod(self.rows[-1].seconds_left, 60)
        left = f"{minutes}:{seconds:02d} left"

        if self.members == 1:
            losses = f"train {first.train_loss:.5f}  validation {first.validation_loss:.5f} {best}"
            return f"{number}{losses}  lr {first.learning_rate:.1e}  {speed}  about {left}"

        train = np.mean([row.train_loss for row in self.rows])
        validation = np.array([row.validation_loss for row in self.rows])
        spread = validation.std(ddof=1) if len(validation) > 1 else 0.0
        losses = f"train {train:.4f}  validation {validation.mean():.5f} ± {spread:.4f} {best}"
        return f"{number}{len(self.rows)} of {self.members}  {losses}  {speed}  {left}"


class Compiled(NamedTuple):
    """The programs of an epoch are compiled; str() is the line that says so."""

    steps: int
    devices: int
    device_kind: str

    def __str__(self) -> str:
        """Return the line for the screen."""
        many = f"{self.devices} × " if self.devices > 1 else ""
        return (
            f"Compiled for {many}{self.device_kind}: {self.steps} steps an epoch. "
            "* is a new best; the time left is an estimate."
        )


class Clock:
    """Times epochs of a number of images; it starts when it is made."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.began = time.perf_counter()
        self.laps: list[float] = []

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self.began

    def lap(self, *, epoch_seconds: float, epochs_left: int) -> "Pace":
        """Return the pace after an epoch. The first one, which is slow, does not count for it."""
        self.laps.append(self.seconds)
        each = np.diff(self.laps).mean() if len(self.laps) > 1 else self.laps[0]
        return Pace(round(self.images / epoch_seconds), round(each * epochs_left))


class Pace(NamedTuple):
    """How fast the last epoch was, and about how many seconds are left."""

    images_per_s: int
    seconds_left: int


def describe_epoch(
    states: dict[int, TrainState], result: EpochResult, configs: Sequence[Config], pace: Pace
) -> Epoch:
    """Return the record of an epoch. states: of the members that took it, by their number."""
    rows = []
    for k, state in states.items():
        row = Row(
            member=k,
            epoch=int(state.epoch),
            step=int(state.step),
            train_loss=float(result.train_loss[k]),
            validation_loss=float(result.validation_loss[k]),
            validation_mae=float(result.validation_mae[k]),
            validation_mse=float(result.validation_mse[k]),
            learning_rate=float(result.learning_rate[k]),
            best=bool(result.best[k]),
            images_per_s=pace.images_per_s,
            seconds_left=pace.seconds_left,
        )
        rows.append(row)
    return Epoch(tuple(rows), configs[0].epochs, len(configs))


def nothing_to_do_line(place: str, states: Sequence[TrainState], configs: Sequence[Config]) -> str:
    """Return the line for a run that is finished: why it ended, and how to go on."""
    done = span(state.epoch for state in states)
    best = span(state.best_epoch for state in states)
    stopped = [
        config
        for state, config in zip(states, configs, strict=True)
        if int(state.epoch) < config.epochs
    ]
    if stopped:
        patience = stopped[0].early_stop_patience
        way = (
            f"The early stop ended it, {patience} epochs after the last progress. To go on, give "
            "a larger early_stop_patience, or another run_dir with this run as resume_from"
        )
    else:
        way = "To go on, give more epochs"
    return f"{place} is finished: epoch {done}, best epoch {best}. {way}."


def drop_lines(before: float, now: float, *, restore_best: bool = False) -> list[str]:
    """Return lines if the learning rate has dropped, and if the best weights are taken again."""
    if now >= before:
        return []
    drop = (
        "The validation loss has stopped falling: "
        f"the learning rate drops from {before:.1e} to {now:.1e}."
    )
    if restore_best:
        return [drop, "This epoch began with the weights of the best one before."]
    return [drop]


def broken_lines(configs: Sequence[Config], result: EpochResult, lost: np.ndarray) -> list[str]:
    """Return a line for each member of several whose loss has broken. lost: which, bool[M]."""
    if len(configs) == 1:
        return []
    names = labels(configs)
    return [
        f"Member {k} ({names[k]}) is left alone: its loss is no longer a finite number "
        f"{_where(result, k)}"
        for k in map(int, np.flatnonzero(lost))
    ]


def all_broken(configs: Sequence[Config], result: EpochResult, lost: np.ndarray) -> str:
    """Return the error when the loss of every member has broken.

    result: of the last epoch. lost: which members broke in it, bool[M].
    """
    k = int(np.flatnonzero(lost)[-1])
    rate = min(config.learning_rate for config in configs)
    subject = "The loss is no longer a finite number"
    if len(configs) > 1:
        subject = "The loss of every member is no longer a finite number, the last"
    broke = f"{subject} {_where(result, k)}"
    good = int(result.epoch[k]) - 1
    if not good:
        return f"{broke}: give a lower learning_rate than {rate:g}"
    return (
        f"{broke}. Epoch {good} is the last good one, and the best stays the best; to go on, train "
        f"in another run_dir with a lower learning_rate than {rate:g}, afresh or with this run as "
        "resume_from"
    )


def end_line(states: Sequence[TrainState], seconds: float) -> str:
    """Return the last line: epochs, best epochs, validation loss (the mean for several members)."""
    losses = np.array([float(state.best_loss) for state in states])
    done = span(state.epoch for state in states)
    best = span(state.best_epoch for state in states)
    mean = np.mean(losses, where=np.isfinite(losses))
    kind = "mean " if len(states) > 1 else ""

    minutes, rest = divmod(round(seconds), 60)
    duration = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return (
        f"Finished after epoch {done} in {duration}; "
        f"best epoch {best}, {kind}validation loss {mean:.5f}."
    )


def large_states_line(size: int, seconds: float) -> str:
    """Return the line about states of this many bytes, saved more rarely than small ones."""
    return (
        f"A checkpoint takes {size / 1e6:,.0f} MB: it is saved every {seconds:.0f} s and at the "
        "end. A kill loses the epochs since then; Ctrl-C does not."
    )


def interrupted_line(place: str, saved: Sequence[int]) -> str:
    """Return the line after an interruption. saved: each member's epoch that is kept."""
    if not any(saved):
        return "Interrupted: no epoch is saved yet."
    return (
        f"Interrupted: epoch {span(saved)} is saved in {place}. "
        "Start the same command again, without overwriting, to go on from there."
    )


def span(numbers: Iterable[SupportsInt]) -> str:
    """Return whole numbers as "3", or "3 to 7"."""
    found = sorted({int(number) for number in numbers})
    return " to ".join(map(str, itertools.chain(found[:1], found[1:][-1:])))


def _where(result: EpochResult, k: int) -> str:
    step, epoch = result.broken_step[k], result.epoch[k]
    return f"at step {step} of epoch {epoch}" if step else f"in the validation of epoch {epoch}"
