"""Where training keeps its runs: in their directories, which only the first process touches, or in memory."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.build import finished, first_states, state_shapes
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.data.dataset import Dataset
from jaxae.errors import Report, silent
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import ORIGIN, changes, describe_environment
from jaxae.runs.manifest import owner_of
from jaxae.train import multihost, progress
from jaxae.train.epoch import EpochResult
from jaxae.train.resume import Origin, begin


class Store:
    """The runs of one or many members. Every process calls every method; if one fails, all raise its error."""

    def __init__(
        self,
        configs: Sequence[Config],
        dataset: Dataset,
        run_dirs: Sequence[Path] | None,
        report: Report,
    ) -> None:
        self.configs, self.dataset = configs, dataset
        self.run_dirs = (
            run_dirs if run_dirs and multihost.is_first() else ()
        )  # empty: this process writes nothing
        self.owners = [owner_of(config, data_sha256=dataset.digest) for config in configs]
        self.in_memory = run_dirs is None
        self.check_places: list[Callable[[], None]] = []
        self.place = "memory" if run_dirs is None else str(run_dirs[0])
        if run_dirs and len(run_dirs) > 1:
            self.place = f"{run_dirs[0].parent} ({len(run_dirs)} members)"
        self.report = report if multihost.is_first() else silent
        self.loaded: list[TrainState | None] = []
        self.latest: list[TrainState] = []
        self.rate: float | None = None
        self.best: list[Any] = [()] * len(
            configs
        )  # in memory: (variables, epoch) of the best epoch
        self.rows: list[list[dict[str, Any]]] = [
            [] for _ in configs
        ]  # in memory: what metrics.jsonl would hold
        self.writer = ThreadPoolExecutor(1)  # keeps an epoch while the next one is computed
        self.writing: Future[None] | None = None

    def load(self) -> np.ndarray:
        """Reads each member's latest checkpoint. Returns which members are not finished, bool[M]. Raises InputError."""
        shapes = state_shapes(self.configs[0])
        with multihost.share_errors():
            loaded = [
                checkpoint.load_latest(run_dir, shapes, owner=owner, report=self.report)
                for run_dir, owner in zip(self.run_dirs, self.owners, strict=False)
            ]
            self.loaded = loaded or self.loaded or [None] * len(self.configs)
            done = [
                state is not None and finished(state, c)
                for state, c in zip(self.loaded, self.configs, strict=True)
            ]
            active = ~np.array(done)
            if active.any():
                self._describe()
        active = np.array(multihost.from_first(active, active))
        if not active.any():
            self.report(progress.nothing_to_do_line(self.place, self.restore()))
        return active

    def restore(self) -> list[TrainState]:
        """Each member's latest state, the first one where nothing is saved; the same on every process."""
        states = self.loaded if all(self.loaded) else first_states(self.configs)
        states = [loaded or first for loaded, first in zip(self.loaded, states, strict=True)]
        self.latest = multihost.from_first(
            states, [state_shapes(self.configs[0])] * len(self.configs)
        )
        return self.latest

    def save(
        self, states: Mapping[int, TrainState], result: EpochResult, clock: Mapping[str, int]
    ) -> None:
        """Begins to keep the states of the members that took this epoch. Raises what went wrong with the epoch before."""
        self.wait()
        self.writing = self.writer.submit(self._keep, states, result, clock)

    def wait(self) -> None:
        """Returns when every epoch is kept. Raises what went wrong."""
        with multihost.share_errors():
            if self.writing:
                self.writing.result()

    def _keep(
        self, states: Mapping[int, TrainState], result: EpochResult, clock: Mapping[str, int]
    ) -> None:
        """Keeps an epoch, and reports it: it is on disk before its line is out."""
        rows = {k: self._row(k, state, result, clock) for k, state in states.items()}
        for k, state in states.items():
            if self.run_dirs:
                self.check_places[k]()
                metrics_log.append(
                    self.run_dirs[k], rows[k]
                )  # first: a row too many is cut when the run resumes
                checkpoint.save(self.run_dirs[k], state, owner=self.owners[k])
            if self.in_memory:
                self.rows[k].append(rows[k])
            if self.in_memory and result.best[k]:
                self.best[k] = model_variables(state), int(state.best_epoch)
            self.latest[k] = state
        if len(self.configs) == 1 and rows:
            for line in progress.drop_lines(
                self.rate, rows[0], restore_best=self.configs[0].restore_best
            ):
                self.report(line)
            self.rate = rows[0]["learning_rate"]
        if rows:
            self.report(
                progress.epoch_line(
                    list(rows.values()), self.configs[0].epochs, members=len(self.configs)
                )
            )

    def _row(
        self, k: int, state: TrainState, result: EpochResult, clock: Mapping[str, int]
    ) -> dict[str, Any]:
        names = (
            "train_loss",
            "validation_loss",
            "validation_mae",
            "validation_mse",
            "learning_rate",
        )
        losses = {name: float(getattr(result, name)[k]) for name in names}
        reached = {"data": self.dataset.title, "epoch": int(state.epoch), "step": int(state.step)}
        return {**reached, **losses, "best": bool(result.best[k]), **clock}

    def _describe(self) -> None:
        """Writes environment.json, cuts metrics.jsonl back to the checkpoint, and reports what has changed since."""
        epochs = [int(state.epoch) if state else 0 for state in self.loaded]
        for line in progress.begin_lines(self.place, epochs, self.configs, self.dataset):
            self.report(line)
        environment = describe_environment(self.dataset.title, self.dataset.digest)
        before = [files.read_json(run_dir / "environment.json") for run_dir in self.run_dirs]
        changed = [changes(each, environment) for each in before]
        rewound = [
            metrics_log.rewind(run_dir, epoch)
            for run_dir, epoch in zip(self.run_dirs, epochs, strict=False)
        ]
        for line in dict.fromkeys(itertools.chain(*changed, *rewound)):
            self.report(line)
        for run_dir, each in zip(self.run_dirs, before, strict=True):
            origin = {ORIGIN: each[ORIGIN]} if ORIGIN in each else {}
            files.write_json(run_dir / "environment.json", environment | origin)


@contextlib.contextmanager
def open_runs(
    run_dirs: Sequence[Path] | None,
    configs: Sequence[Config],
    dataset: Dataset,
    *,
    overwrite: bool,
    origin: Origin | None = None,
    report: Report,
) -> Iterator[Store]:
    """The store of these runs, whose directories are locked meanwhile; None keeps nothing on disk. Raises InputError.

    origin: where runs begin that have not begun yet.
    When it is interrupted, it reports which epoch is saved.
    """
    store = Store(configs, dataset, run_dirs, report)
    with contextlib.ExitStack() as stack:
        with multihost.share_errors():
            for config, run_dir in zip(configs, store.run_dirs, strict=False):
                opened = directory.open_run(
                    run_dir, config, data=dataset.title, overwrite=overwrite
                )
                store.check_places.append(stack.enter_context(opened))
                if origin:
                    for line in begin(origin, run_dir, config, data_sha256=dataset.digest):
                        store.report(line)
        stack.enter_context(store.writer)
        try:
            yield store
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):
                store.writer.shutdown()  # what it has begun to write, it writes to the end
            if store.loaded and not store.in_memory:
                done = progress.span(
                    state.epoch if state else 0 for state in store.latest or store.loaded
                )
                without = ", without --overwrite," if overwrite else ""
                again = f"Start the same command again{without} to go on from there."
                store.report(f"Interrupted: epoch {done} is saved in {store.place}. {again}")
            raise
