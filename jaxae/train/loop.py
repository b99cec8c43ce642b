"""The training loop: restore, run an epoch, drop what broke, save and report, until no member is active."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae.build import build_model, finished
from jaxae.config import Config
from jaxae.core.state import TrainState, stack_members
from jaxae.data.dataset import Dataset, check_data
from jaxae.data.load import canonical_name, load_dataset
from jaxae.errors import InputError, Report
from jaxae.inference import Run, load
from jaxae.runs.directory import run_directory
from jaxae.train import multihost, progress
from jaxae.train.epoch import compile_epoch
from jaxae.train.population import check
from jaxae.train.resume import Origin
from jaxae.train.sharding import make_placement
from jaxae.train.store import Store, open_runs


def train(runs: Store, *, devices: str | int = 1, on_host: bool = False) -> list[TrainState]:
    """Trains all members to their ends and returns their last states. Raises InputError where the loss of each has broken.

    devices, on_host: as of fit_members.
    """
    configs, active = runs.configs, runs.load()
    if not active.any():
        return runs.latest
    placement = make_placement(devices, members=len(configs), batch_size=configs[0].batch_size)
    # In a thread, so that a signal need not wait for the compiler, and the first state is drawn meanwhile: a second won.
    compiling = ThreadPoolExecutor(1).submit(
        compile_epoch, configs, runs.dataset, placement, on_host=on_host
    )
    state = placement.put(stack_members(runs.restore()))
    compiled = compiling.result()
    steps = len(runs.dataset.train.images) // configs[0].batch_size
    runs.report(progress.compiled_line(steps, placement.size, jax.devices()[0].device_kind))
    clock, broken = progress.Clock(steps * configs[0].batch_size), np.zeros(len(configs), bool)
    run_epoch = clock.timed(compiled.__call__)
    while active.any():
        state, result = run_epoch(state, active)
        lost = active & ~result.finite
        taken = {k: placement.fetch(state, k) for k in map(int, np.flatnonzero(active & ~lost))}
        epochs_left = max((configs[k].epochs - result.epoch[k] for k in taken), default=0)
        runs.save(taken, result, clock.lap(epochs_left=epochs_left))
        if lost.any():
            runs.wait()  # for the epoch's own line
        for line in progress.broken_lines(configs, result, lost):
            runs.report(line)
        active, broken = (
            np.array([k in taken and not finished(taken[k], c) for k, c in enumerate(configs)]),
            broken | lost,
        )
    runs.wait()
    if broken.all():
        raise InputError(progress.all_broken(configs, result, lost))
    for line in progress.end_lines(configs, runs.latest, clock.seconds):
        runs.report(line)
    return runs.latest


def fit(
    config: Config | None = None,
    dataset: Dataset | None = None,
    *,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    report: Report = print,
) -> Run:
    """Trains a model to the end of its recipe and returns its best epoch. Raises InputError.

    config: by default the default recipe. dataset: by default the one that the recipe names. run_dir: where the run is kept,
    and resumed from when it is called again; on synthetic data its name gets SYNTHETIC; without it nothing is
    written. report: takes a line about each epoch.

    >>> run = jaxae.fit(jaxae.Config(epochs=3), run_dir="checkpoints/three")
    >>> denoised = jaxae.reconstruct(run, images)
    """
    recipe = Config() if config is None else config
    rules: Any = {
        "image_size": recipe.image_size,
        "shares": recipe.split,
        "skip_damaged": recipe.skip_damaged,
    }
    data = load_dataset(recipe.dataset, **rules, report=report) if dataset is None else dataset
    recipe = settle(recipe, data)
    check([recipe], data)
    place = None if run_dir is None else run_directory(Path(run_dir), recipe)
    with open_runs(
        [place] if place else None, [recipe], data, overwrite=overwrite, report=report
    ) as runs:
        try:
            train(runs)
        except InputError as error:
            if not runs.best[0]:
                raise
            report(str(error))  # in memory what is best would be lost with the error
    return (
        load(place)
        if place
        else Run(recipe, build_model(recipe), *runs.best[0])._replace(data_sha256=data.digest)
    )


def fit_members(
    configs: Sequence[Config],
    dataset: Dataset,
    run_dirs: Sequence[Path] | None,
    *,
    devices: str | int = 1,
    images_on_host: bool = False,
    overwrite: bool = False,
    origin: Origin | None = None,
    report: Report = print,
) -> list[TrainState]:
    """fit for several recipes in one program, each in a run directory of its own: each resumes, and ends, on its own.

    They may differ in what population.varying allows. A member whose loss is no longer finite is reported and left alone.
    devices: "all", or how many of each process share the work, members first. It changes no more than rounding, and no file.
    images_on_host: leave the training images there, where a device that can't hold them has them anyway. It changes no bit.
    origin: a checkpoint of another run, from which each member begins that has not begun yet.
    Of several processes the first alone reads and writes run directories, and reports. Returns the last states.
    """
    multihost.check_agreement(
        recipe=[c.to_json() for c in configs], data=dataset.digest, devices=str(devices)
    )
    check(configs, dataset)
    make_placement(
        devices, members=len(configs), batch_size=configs[0].batch_size
    )  # its errors come before any file
    with open_runs(
        run_dirs, configs, dataset, overwrite=overwrite, origin=origin, report=report
    ) as runs:
        return train(runs, devices=devices, on_host=images_on_host)


def settle(config: Config, dataset: Dataset) -> Config:
    """The recipe with the data's own name, where it says auto, and the shape of its images. Raises InputError."""
    named = replace(
        config, dataset=dataset.name if config.dataset == "auto" else canonical_name(config.dataset)
    )
    if (
        config.image_shape == Config().image_shape
    ):  # a recipe that names another shape wants data of that shape
        named = replace(named, image_shape=dataset.image_shape)
    check_data(named, dataset)
    return named
