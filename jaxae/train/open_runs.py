"""Runs opened for training: their directories locked, what is being written finished before they are let go."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.devices import multihost
from jaxae.errors import Report
from jaxae.resume import Origin, begin
from jaxae.runs import directory
from jaxae.train import progress
from jaxae.train.store import Store


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
                opened = directory.open_run(run_dir, config, data=dataset.title, overwrite=overwrite)
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
                done = progress.span(state.epoch if state else 0 for state in store.latest or store.loaded)
                without = ", without --overwrite," if overwrite else ""
                again = f"Start the same command again{without} to go on from there."
                store.report(f"Interrupted: epoch {done} is saved in {store.place}. {again}")
            raise
