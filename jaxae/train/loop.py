"""fit: the only loop. It has the steps compiled once, saves each epoch, and reports."""

import contextlib
import functools
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae.build import build_parts, finished
from jaxae.config import Config
from jaxae.core.state import TrainState, init_state, stack_members, take_member
from jaxae.data.dataset import Dataset, check_data
from jaxae.errors import InputError, Report, silent
from jaxae.rng import root_key
from jaxae.runs import checkpoint, directory, metrics_log
from jaxae.train import multihost, progress
from jaxae.train.epoch import bind_epoch
from jaxae.train.population import labels, varying
from jaxae.train.sharding import Layout, fetch, make_layout, put


def fit(config: Config, dataset: Dataset, run_dir: Path, *, overwrite: bool = False, report: Report = print) -> TrainState:
    """Trains to the end, resuming what the directory holds, and returns the last state. Raises InputError.

    config.dataset must name the dataset. Every epoch is on disk before its line is reported, so an interruption at any
    moment loses the running epoch at most.
    """
    return fit_members([config], dataset, [run_dir], overwrite=overwrite, report=report)[0]


def fit_members(
    configs: Sequence[Config],
    dataset: Dataset,
    run_dirs: Sequence[Path],
    *,
    devices: str | int = 1,
    overwrite: bool = False,
    report: Report = print,
) -> list[TrainState]:
    """fit for several recipes in one program, each in a run directory of its own: each resumes, and ends, on its own.

    They may differ in what population.varying allows. A member whose loss is no longer finite is reported and left alone.
    devices: "all", or how many of each process share the work, members first. It changes no more than rounding, and no file.
    Of several processes the first alone reads and writes run directories, and reports.
    """
    mine = run_dirs if multihost.is_first() else ()  # what this process reads and writes
    report = report if mine else silent
    multihost.check_agreement(recipe=[c.to_json() for c in configs], data=dataset.digest, devices=str(devices))
    _check(configs, dataset)
    layout = make_layout(devices, members=len(configs), batch_size=configs[0].batch_size)
    place = f"{run_dirs[0].parent} ({len(configs)} members)" if len(configs) > 1 else str(run_dirs[0])
    fresh = jax.jit(functools.partial(init_state, parts=build_parts(configs[0])))
    keys = [root_key(config.seed, impl=config.prng_impl) for config in configs]
    like = jax.eval_shape(fresh, keys[0])
    with contextlib.ExitStack() as stack:
        with multihost.raised_together():
            for config, run_dir in zip(configs, mine, strict=bool(mine)):
                stack.enter_context(directory.open_run(run_dir, config, overwrite=overwrite))
            saved = [checkpoint.load_latest(run_dir, like, report=report) for run_dir in mine] or [None] * len(configs)
            running = np.array([not (state and finished(state, config)) for state, config in zip(saved, configs, strict=True)])
            progress.start(place, configs[0], dataset, mine, saved, running, report)
        running = np.array(multihost.from_first(running, running))
        if not running.any():
            return multihost.from_first(saved, [like] * len(configs))
        epochs = [int(state.epoch) if state else 0 for state in saved]
        try:
            # In a thread, so that a signal need not wait for the compiler, and the state is drawn meanwhile: a second won.
            shapes = jax.eval_shape(stack_members, [like] * len(configs))
            compiling = ThreadPoolExecutor(1).submit(bind_epoch, configs, dataset, shapes, layout=layout)
            states = [state or fresh(key) for state, key in zip(saved, keys, strict=True)]
            states = multihost.from_first(states, [like] * len(configs))
            epochs[:] = [int(state.epoch) for state in states]
            _run_epochs(compiling, configs, mine, states, epochs, running, layout, len(dataset.train.images), report)
        except KeyboardInterrupt:
            done = progress.span(epochs)
            report(f"Interrupted: epoch {done} is saved in {place}. Start the same command again to go on from there.")
            raise
    progress.end(place, configs, states, report)
    return states


def _run_epochs(
    compiling: Future,
    configs: Sequence[Config],
    run_dirs: Sequence[Path],
    states: list[TrainState],
    epochs: list[int],
    running: np.ndarray,
    layout: Layout | None,
    size: int,
    report: Report,
) -> None:
    """The loop: all that are running take an epoch, each is saved, and perhaps ends. Updates the three lists."""
    state = put(stack_members(states), layout.states if layout else None)
    run_epoch, several = compiling.result(), len(configs) > 1
    several_devices = f"{layout.mesh.size} × " if layout else ""
    steps = size // configs[0].batch_size
    report(f"Compiled for {several_devices}{jax.devices()[0].device_kind}: {steps} steps an epoch")
    take = jax.jit(take_member, out_shardings=layout.shared if layout else None)
    began = time.perf_counter()
    for number in itertools.count(1):
        started = time.perf_counter()
        state, outcomes = run_epoch(state, running)
        now = time.perf_counter()
        left = max(configs[k].epochs - epochs[k] for k in map(int, np.flatnonzero(running))) - 1
        clock = {
            "images_per_s": round(steps * configs[0].batch_size / (now - started)),
            "seconds_left": round((now - began) / number * left),
        }
        rows: dict[int, dict[str, Any]] = {}
        for k in map(int, np.flatnonzero(running)):
            outcome = outcomes[k]
            if isinstance(outcome, InputError):
                if not several:
                    raise outcome
                report(f"Member {k} ({labels(configs)[k]}) is left alone. {str(outcome).split('. ')[0]}")
                running[k] = False
                continue
            states[k] = fetch(take(state, k) if several else state)
            reached = {"epoch": int(states[k].epoch), "step": int(states[k].step)}
            rows[k] = {"data": configs[k].data_title, **reached, **outcome, **clock}
        with multihost.raised_together():
            for k, row in rows.items():
                if run_dirs:
                    metrics_log.append(run_dirs[k], row)  # before the checkpoint: a row too many is cut when the run resumes
                    checkpoint.save(run_dirs[k], states[k])
                epochs[k], running[k] = row["epoch"], not finished(states[k], configs[k])
        if rows:
            report(progress.progress_line(list(rows.values()), configs[0].epochs, members=len(configs)))
        if not running.any():
            return


def _check(configs: Sequence[Config], dataset: Dataset) -> None:
    varying(configs)
    size, batch = len(dataset.train.images), configs[0].batch_size
    for config in configs:
        check_data(config, dataset)
    if batch > size:
        raise InputError(f"batch_size is {batch}, but there are {size} training images: take fewer")
