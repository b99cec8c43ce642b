"""A store that keeps runs in directories: rows of metrics, environment and checkpoints."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from time import monotonic

import jax

from jaxae.build import finished, or_first, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.data.dataset import Dataset
from jaxae.errors import Report, silent
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import ORIGIN, changes, describe_environment
from jaxae.runs.manifest import owner_of
from jaxae.train.multihost import ALONE, Processes
from jaxae.train.progress import Epoch, interrupted_line, large_states_line
from jaxae.train.resume import check_epochs
from jaxae.train.store import Restored, tell

SAVE_SECONDS = 5.0
"""Seconds between two saves: one takes longer than an epoch on few small images."""
LARGE_STATES, LARGE_SECONDS = 64_000_000, 60.0
"""Bytes of all members' states above which it is these: each epoch's would fill disks."""


class DirectoryStore:
    """Keeps members in run directories, which the first process alone reads and writes.

    An epoch is written while the next one is computed: its row of metrics always, the states if
    none are saved yet, or if the last ones were saved some seconds ago. Every process calls every
    method; if one fails, all raise its error.
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
        self.unsaved: list[dict[int, TrainState]] = [{} for _ in configs]  # best and latest epoch
        self.size = sum(map(_bytes, configs))
        self.large = self.size > LARGE_STATES
        self.seconds_between = LARGE_SECONDS if self.large else SAVE_SECONDS
        self.last_save = -math.inf
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

                if self.large:
                    notes.append(large_states_line(self.size, self.seconds_between))

        if self.processes.count > 1:
            # The first process's states are sent; the others need their shapes alone.
            begun = or_first(states, self.configs) if self.processes.first else shapes
            states = self.processes.from_first(begun, shapes)
        return Restored(states, notes, all_finished(states, self.configs), rate)

    def save(self, states: Mapping[int, TrainState], epoch: Epoch, notes: Sequence[str]) -> None:
        """Begin to write an epoch. Raise what went wrong with the one before."""
        with self.processes.share_errors():
            self._settle()
        if self.processes.first:
            self.writing = self.writer.submit(self._write, states, epoch, notes)

    def wait(self) -> None:
        """Save what is not yet saved, and return when it is on disk. Raise what went wrong."""
        with self.processes.share_errors():
            self._settle()
            if self.processes.first:
                self.writing = self.writer.submit(self._save_states)
                self._settle()

    def finish_writing(self) -> None:
        """Save what is not yet saved, unless that has failed, however often it is interrupted."""
        self._wait_patiently()
        if self.writing and not self.writing.exception():
            self.writing = self.writer.submit(self._save_states)
            self._wait_patiently()

    def _settle(self) -> None:
        if self.writing:
            self.writing.result()

    def _wait_patiently(self) -> None:
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
        """Write an epoch, then report it."""
        for row in epoch.rows:
            k = row.member
            self.check_not_moved[k]()
            # The row first: when the run resumes, rows too many are cut.
            metrics_log.append(self.run_dirs[k], row.to_json(self.dataset.title))

            best = int(states[k].best_epoch)
            kept = {e: state for e, state in self.unsaved[k].items() if e == best}
            self.unsaved[k] = kept | {row.epoch: states[k]}

        if monotonic() - self.last_save >= self.seconds_between:
            self._save_states()
        tell(self.report, epoch, notes)

    def _save_states(self) -> None:
        """Save each member's best and latest state, if they are not yet on disk."""
        for k, unsaved in enumerate(self.unsaved):
            for epoch in sorted(unsaved):
                self.check_not_moved[k]()
                checkpoint.save(self.run_dirs[k], unsaved[epoch], owner=self.owners[k])
                self.saved[k] = epoch
                del unsaved[epoch]
        self.last_save = monotonic()


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

    When training ends early, its best and latest epochs are saved first; when it was interrupted,
    which epoch that is, is reported.
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
        except BaseException as error:
            store.finish_writing()
            if isinstance(error, KeyboardInterrupt):
                report(interrupted_line(store.place, store.saved))
            raise


def all_finished(states: Sequence[TrainState | None], configs: Sequence[Config]) -> bool:
    """Return whether each member has a state, with which its run has ended."""
    pairs = zip(states, configs, strict=True)
    return all(state is not None and finished(state, config) for state, config in pairs)


def _bytes(config: Config) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state_shapes(config)))
