"""Where training keeps its runs: what the loop calls, and a store in memory.

A store has three methods: restore, save, wait. directory_store has the other one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.errors import Report, silent
from jaxae.train.progress import Epoch, Row


class Restored(NamedTuple):
    """Where members go on from, and what to tell about it."""

    states: list[TrainState | None]
    """Each member's latest state. None if nothing is saved; several processes have first states."""
    notes: list[str]
    finished: bool
    """All members have come to their ends."""
    rate: float | None = None
    """The learning rate of the last saved epoch of the first member."""


class Store(Protocol):
    """The interface that the loop uses."""

    @property
    def place(self) -> str:
        """The name of the place, for messages."""

    def restore(self) -> Restored:
        """Return where each member goes on from."""

    def save(self, states: Mapping[int, TrainState], epoch: Epoch, notes: Sequence[str]) -> None:
        """Take the states of the members that took this epoch, then report the notes and it."""

    def wait(self) -> None:
        """Return when the best and the latest epochs are kept. Raise what went wrong."""


class BestEpoch(NamedTuple):
    """The epoch of lowest validation loss of a run in memory."""

    variables: dict[str, Any]
    epoch: int


class MemoryStore:
    """Keeps the best variables and all rows of each member in memory."""

    place = "memory"

    def __init__(self, configs: Sequence[Config], *, report: Report = silent) -> None:
        self.configs = configs
        self.report = report
        self.best: list[BestEpoch | None] = [None] * len(configs)
        self.rows: list[list[Row]] = [[] for _ in configs]

    def restore(self) -> Restored:
        """Return no states: nothing was saved."""
        return Restored([None] * len(self.configs), [], finished=False)

    def save(self, states: Mapping[int, TrainState], epoch: Epoch, notes: Sequence[str]) -> None:
        """Keep the epoch."""
        for row in epoch.rows:
            self.rows[row.member].append(row)
            if row.best:
                state = states[row.member]
                self.best[row.member] = BestEpoch(model_variables(state), row.epoch)
        tell(self.report, epoch, notes)

    def wait(self) -> None:
        """Return: everything is kept."""


def tell(report: Report, epoch: Epoch, notes: Sequence[str]) -> None:
    """Report the notes, then the epoch, if a member took it."""
    for line in notes:
        report(line)
    if epoch.rows:
        report(epoch)
