"""Where training keeps its runs: in directories, or in memory.

Both stores have the three methods that the loop calls: restore, save, wait.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxae.build import finished, or_first, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.data.dataset import Dataset
from jaxae.errors import Report, silent
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import ORIGIN, changes, describe_environment
from jaxae.runs.manifest import owner_of
from jaxae.train.multihost import ALONE, Processes
from jaxae.train.progress import Epoch, Row, interrupted_line
from jaxae.train.resume import check_epochs


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
        """Save the states of the members that took this epoch, then report the notes and it."""

    def wait(self) -> None:
        """Return when every epoch is kept. Raise what went wrong."""


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


class DirectoryStore:
    """Keeps members in run directories, which the first process alone reads and writes.

    An epoch is written while the next one is computed. Every process calls every method; if one
    fails, all raise its error.
    """

    def __init__(
        self,
        run_dirs: Sequence[Path],
        configs: Sequence[Config],
        dataset: Dataset,
        *,
        processes: Processes = ALONE,
        report: Report = silent,
    ) -> None:
        self.run_dirs = run_dirs
        self.configs = configs
        self.dataset = dataset
        self.processes = processes
        self.report = report
        self.owners = [owner_of(config, data_sha256=dataset.digest) for config in configs]
        self.check_not_moved: list[Callable[[], None]] = []
        self.saved: list[int] = []  # each member's epoch on disk, once they are restored
        self.writer = futures.ThreadPoolExecutor(1)
        self.writing: futures.Future[None] | None = None

    @property
    def place(self) -> str:
        """The name of the directories, for messages."""
        if len(self.run_dirs) == 1:
            return str(self.run_dirs[0])
        return f"{self.run_dirs[0].parent} ({len(self.run_dirs)} members)"

    def restore(self) -> Restored:
        """Return each member's latest state that is whole. Raises InputError.

        If one is to go on, environment.json becomes that of this machine and metrics.jsonl is cut
        back to the states.
        """
        shapes = [state_shapes(config) for config in self.configs]
        states: list[TrainState | None] = [None] * len(self.configs)
        notes: list[str] = []
        rate: float | None = None

        with self.processes.share_errors():
            if self.processes.first:
                states = self._load(shapes, notes.append)
                self.saved = [0 if state is None else int(state.epoch) for state in states]
                if not all_finished(states, self.configs):
                    notes += self._open_logs()
                rows = metrics_log.read(self.run_dirs[0])
                rate = rows[-1].get("learning_rate") if rows else None

        if self.processes.count > 1:
            # The first process's states are sent; the others need their shapes alone.
            begun = or_first(states, self.configs) if self.processes.first else shapes
            states = self.processes.from_first(begun, shapes)
        return Restored(states, notes, all_finished(states, self.configs), rate)

    def save(self, states: Mapping[int, TrainState], epoch: Epoch, notes: Sequence[str]) -> None:
        """Begin to write an epoch. Raise what went wrong with the one before."""
        self.wait()
        if self.processes.first:
            self.writing = self.writer.submit(self._write, states, epoch, notes)

    def wait(self) -> None:
        """Return when every epoch is on disk. Raise what went wrong."""
        with self.processes.share_errors():
            if self.writing:
                self.writing.result()

    def finish_writing(self) -> None:
        """Return when nothing is being written, however often that is interrupted."""
        while self.writing and not self.writing.done():
            with contextlib.suppress(KeyboardInterrupt):
                futures.wait([self.writing])

    def _load(self, shapes: Sequence[TrainState], report: Report) -> list[TrainState | None]:
        return [
            checkpoint.load_latest(run_dir, like, owner=owner, report=report)
            for run_dir, like, owner in zip(self.run_dirs, shapes, self.owners, strict=True)
        ]

    def _open_logs(self) -> list[str]:
        """Bring environment.json and metrics.jsonl up to date. Return what changed, or is lost."""
        data = self.dataset
        environment = describe_environment(data.title, data.digest, white=data.white)
        before = [files.read_json(run_dir / "environment.json") for run_dir in self.run_dirs]
        notes = [line for each in before for line in changes(each, environment)]

        for run_dir, epoch, old in zip(self.run_dirs, self.saved, before, strict=True):
            notes += metrics_log.rewind(run_dir, epoch)
            origin = {ORIGIN: old[ORIGIN]} if ORIGIN in old else {}
            files.write_json(run_dir / "environment.json", environment | origin)
        return list(dict.fromkeys(notes))  # members share their machine

    def _write(self, states: Mapping[int, TrainState], epoch: Epoch, notes: Sequence[str]) -> None:
        """Write an epoch, then report it: its line is out when it is on disk."""
        for row in epoch.rows:
            k = row.member
            self.check_not_moved[k]()
            # The row first: when the run resumes, a row too many is cut.
            metrics_log.append(self.run_dirs[k], row.to_json(self.dataset.title))
            checkpoint.save(self.run_dirs[k], states[k], owner=self.owners[k])
            self.saved[k] = row.epoch
        tell(self.report, epoch, notes)


def tell(report: Report, epoch: Epoch, notes: Sequence[str]) -> None:
    """Report the notes, then the epoch, if a member took it."""
    for line in notes:
        report(line)
    if epoch.rows:
        report(epoch)


@contextlib.contextmanager
def open_directories(
    run_dirs: Sequence[Path],
    configs: Sequence[Config],
    dataset: Dataset,
    *,
    overwrite: bool = False,
    processes: Processes = ALONE,
    report: Report = silent,
) -> Iterator[DirectoryStore]:
    """Lock the run directories while a store of them is in use. Raises InputError.

    When it is interrupted, it finishes what is being written and reports which epoch is saved.
    """
    store = DirectoryStore(run_dirs, configs, dataset, processes=processes, report=report)
    with contextlib.ExitStack() as stack:
        with processes.share_errors():
            if processes.first:
                for run_dir, config in zip(run_dirs, configs, strict=True):
                    if not overwrite:
                        check_epochs(run_dir, config)
                    opened = directory.open_run(
                        run_dir,
                        config,
                        data=dataset.title,
                        data_sha256=dataset.digest,
                        overwrite=overwrite,
                    )
                    store.check_not_moved.append(stack.enter_context(opened))

        stack.enter_context(store.writer)
        try:
            yield store
        except KeyboardInterrupt:
            store.finish_writing()
            report(interrupted_line(store.place, store.saved))
            raise


def all_finished(states: Sequence[TrainState | None], configs: Sequence[Config]) -> bool:
    """Return whether each member has a state, with which its run has ended."""
    pairs = zip(states, configs, strict=True)
    return all(state is not None and finished(state, config) for state, config in pairs)
