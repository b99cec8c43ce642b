"""The training loop: restore, run an epoch, save and report, until all members have ended."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from jaxae.build import build_model, epochs_left, finished, or_first
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.core.step import epoch_steps
from jaxae.data.dataset import Dataset, check_data, check_dataset
from jaxae.data.load import canonical_name, load_dataset
from jaxae.errors import Diverged, InputError, Report, expand, legible, show, silent
from jaxae.inference import Run, load
from jaxae.runs.directory import run_directory
from jaxae.runs.environment import multiplies_bfloat16
from jaxae.switches import as_here, refuse_after_fork, usual_switches
from jaxae.train import progress
from jaxae.train.directory_store import open_directories
from jaxae.train.epoch import compile_epoch
from jaxae.train.feed import fits_on_device
from jaxae.train.introduction import begin_lines
from jaxae.train.multihost import ALONE, Processes
from jaxae.train.neighbours import training_neighbours
from jaxae.train.population import check
from jaxae.train.sharding import Placement, make_placement
from jaxae.train.store import MemoryStore, Store


@usual_switches()
def fit(
    config: Config | None = None,
    dataset: Dataset | None = None,
    *,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    report: Report = show,
) -> Run:
    """Train a model to the end of its recipe and return its best epoch.

    config: by default the default recipe. dataset: by default the one that the recipe names.
    run_dir: where the run is kept, and resumed from when fit is called again; on synthetic data its
    name gets SYNTHETIC. Without it nothing is written. report: takes what is told, such as an
    Epoch; str() gives its line. Raises InputError; Diverged if the loss stops being finite, but in
    memory only if no epoch was finished: otherwise the best one is returned.

    >>> recipe = jaxae.Config(dataset="synthetic", widths=(32, 8), epochs=1)
    >>> run = jaxae.fit(recipe, dataset, report=lambda told: None)
    >>> run.epoch
    1
    """
    recipe = Config() if config is None else config
    if not isinstance(recipe, Config):
        raise InputError(f"config is {recipe!r:.60}: give a jaxae.Config")
    report = legible(report)
    if dataset is None:
        dataset = load_dataset(
            recipe.dataset,
            image_size=recipe.image_size,
            shares=recipe.split,
            skip_damaged=recipe.skip_damaged,
            labels=recipe.labels,
            report=report,
        )
    recipe = settle(recipe, dataset)

    if run_dir is not None:
        place = run_directory(expand(run_dir), recipe)
        fit_members([recipe], dataset, [place], overwrite=overwrite, report=report)
        return load(place)

    check([recipe], dataset)
    store = MemoryStore([recipe], report=report)
    try:
        train([recipe], dataset, store, report=report)
    except Diverged as error:
        if store.best[0] is None:
            raise
        report(str(error))  # the best epoch is in memory alone: it must not be lost
    best = store.best[0]
    assert best is not None
    return Run(
        recipe, build_model(recipe), best.variables, best.epoch, dataset.digest, dataset.white
    )


@usual_switches()
def fit_members(
    configs: Sequence[Config],
    dataset: Dataset,
    run_dirs: Sequence[Path],
    *,
    devices: str | int = 1,
    images_on_host: bool = False,
    overwrite: bool = False,
    processes: Processes = ALONE,
    report: Report = show,
) -> list[TrainState]:
    """Train several recipes in one program, each in a run directory. Return their last states.

    configs may differ in what population.varying allows. Each run resumes, and ends, on its own; a
    member whose loss is no longer finite is reported and left alone.
    devices: "all", "auto", or a number per process; members come first, then their batches.
    Losses may differ by rounding. images_on_host: leave the training images in the host's memory;
    no bit changes. Raises InputError; Diverged where the loss of every member has broken.
    """
    check(configs, dataset)
    placement = make_placement(devices, members=len(configs), batch_size=configs[0].batch_size)
    report = legible(report) if processes.first else silent
    opened = open_directories(
        run_dirs, configs, dataset, overwrite=overwrite, processes=processes, report=report
    )
    too_large = not fits_on_device(dataset.train.images)
    on_host = processes.any(images_on_host or too_large)  # all compile the same programs
    with opened as store:
        return train(configs, dataset, store, placement=placement, on_host=on_host, report=report)


@usual_switches()
def train(
    configs: Sequence[Config],
    dataset: Dataset,
    store: Store,
    *,
    placement: Placement | None = None,
    on_host: bool | None = None,
    report: Report,
) -> list[TrainState]:
    """Train all members to their ends and return their last states.

    placement: by default one device. on_host: leave the training images in the host's memory; by
    default if they do not fit on the device. Raises Diverged where the loss of each has broken.
    """
    refuse_after_fork()
    placement = placement or Placement()
    if on_host is None:
        on_host = not fits_on_device(dataset.train.images)
    restored = store.restore()
    if restored.finished:
        latest = or_first(restored.states, configs)
        report(progress.nothing_to_do_line(store.place, latest, configs))
        return latest

    epochs = [0 if state is None else int(state.epoch) for state in restored.states]
    for line in [*begin_lines(store.place, epochs, configs, dataset), *restored.notes]:
        report(line)

    neighbours = None
    if configs[0].neighbor_weight:
        neighbours = training_neighbours(dataset, report=report)

    # In a thread, so that a signal need not wait for the compiler, and first states are drawn
    # meanwhile.
    compiling = ThreadPoolExecutor(1).submit(
        as_here(compile_epoch),
        configs,
        dataset,
        placement,
        neighbours=neighbours,
        on_host=on_host,
    )
    latest = or_first(restored.states, configs)
    active = np.array([not finished(s, c) for s, c in zip(latest, configs, strict=True)])
    state = placement.stack(latest)
    run_epoch = compiling.result()
    steps = epoch_steps(len(dataset.train.images), batch_size=configs[0].batch_size)
    report(progress.Compiled(steps, placement.size, jax.devices()[0].device_kind))

    clock = progress.Clock(steps * configs[0].batch_size)
    dropped = int(latest[0].drop_epoch) == int(latest[0].epoch)
    rate = restored.rate if dropped else None  # a drop that no line has told yet
    broken = np.zeros(len(configs), bool)

    while active.any():
        began = time.perf_counter()
        state, result = run_epoch(state, active)
        seconds = time.perf_counter() - began

        lost = active & ~result.finite
        broken |= lost
        kept = [int(k) for k in np.flatnonzero(active & ~lost)]
        taken = {k: placement.fetch(state, k) for k in kept}
        for k, each in taken.items():
            latest[k] = each

        left = max((epochs_left(each, configs[k]) for k, each in taken.items()), default=0)
        pace = clock.lap(epoch_seconds=seconds, epochs_left=left)
        epoch = progress.describe_epoch(taken, result, configs, pace)

        drops: list[str] = []
        if len(configs) == 1 and epoch.rows:
            now = epoch.rows[0].learning_rate
            drops = progress.drop_lines(rate or now, now, restore_best=configs[0].restore_best)
            rate = now
        store.save(taken, epoch, drops)

        if lost.any():
            store.wait()  # the epoch's own line, which the store's thread writes, comes first
        for line in progress.broken_lines(configs, result, lost):
            report(line)
        ended = np.array([finished(s, c) for s, c in zip(latest, configs, strict=True)])
        active &= ~lost & ~ended

    store.wait()
    if broken.all():
        raise Diverged(progress.all_broken(configs, result, lost))
    report(progress.end_line(latest, clock.seconds))
    return latest


def settle(config: Config, dataset: Dataset) -> Config:
    """Return the recipe with the data's name, their images' shape, and this machine's matmul_dtype.

    image_shape is taken from the data, unless the recipe changes the default. Raises InputError.
    """
    check_dataset(dataset)
    name = dataset.name if config.dataset == "auto" else canonical_name(config.dataset)
    labels = str(expand(config.labels).absolute()) if config.labels else None
    dtype = config.matmul_dtype
    if dtype == "auto":
        dtype = "bfloat16" if multiplies_bfloat16() else "float32"
    settled = replace(config, dataset=name, labels=labels, matmul_dtype=dtype)
    if config.image_shape == Config().image_shape:
        settled = replace(settled, image_shape=dataset.image_shape)
    check_data(settled, dataset)
    return settled
