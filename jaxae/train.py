"""fit: the only loop. It has the steps compiled once, saves each epoch, and reports."""

import contextlib
import functools
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae import checkpoint, history, rundir
from jaxae.config import Config
from jaxae.data import Dataset, check_data
from jaxae.devices import fetch, make_layout
from jaxae.environment import changes, describe_environment
from jaxae.epoch import bind_epoch
from jaxae.errors import InputError, Report
from jaxae.population import labels, ranking, varying
from jaxae.rng import root_key
from jaxae.state import TrainState, build_parts, finished, init_state, stack_members, take_member


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
    devices: "all", or how many share the work, members first. It changes no more than rounding, and no file.
    """
    layout = make_layout(devices, members=len(configs), batch_size=configs[0].batch_size)
    _check(configs, dataset)
    several, batch = len(configs) > 1, configs[0].batch_size
    steps = len(dataset.train.images) // batch
    place = f"{run_dirs[0].parent} ({len(configs)} members)" if several else str(run_dirs[0])
    with contextlib.ExitStack() as stack:
        for config, run_dir in zip(configs, run_dirs, strict=True):
            stack.enter_context(rundir.open_run(run_dir, config, overwrite=overwrite))
        fresh = jax.jit(functools.partial(init_state, parts=build_parts(configs[0])))
        keys = [root_key(config.seed, impl=config.prng_impl) for config in configs]
        like = jax.eval_shape(fresh, keys[0])
        saved = [checkpoint.load_latest(run_dir, like, report=report) for run_dir in run_dirs]
        epochs = [int(state.epoch) if state else 0 for state in saved]
        running = np.array([not (state and finished(state, config)) for state, config in zip(saved, configs, strict=True)])
        if not running.any():
            done = [state for state in saved if state]
            best = _span([int(state.best_epoch) for state in done])
            report(f"{place} is finished: epoch {_span(epochs)}, best epoch {best}. --overwrite trains it again.")
            return done
        report(f"Resuming after epoch {_span(epochs)} in {place}" if any(epochs) else f"Training in {place}")
        _note_environment(configs[0], dataset, dict(zip(run_dirs, epochs, strict=True)), report)
        try:
            # In a thread, so that a signal need not wait for the compiler, and the state is drawn meanwhile: a second won.
            shapes = jax.eval_shape(stack_members, [like] * len(configs))
            compiling = ThreadPoolExecutor(1).submit(bind_epoch, configs, dataset, shapes, layout=layout)
            states = [state or fresh(key) for state, key in zip(saved, keys, strict=True)]
            state = stack_members(states)
            run_epoch = compiling.result()
            several_devices = f"{layout.mesh.size} × " if layout else ""
            report(f"Compiled for {several_devices}{jax.devices()[0].device_kind}: {steps} steps an epoch")
            take, began = jax.jit(take_member), time.perf_counter()
            for number in itertools.count(1):
                started = time.perf_counter()
                state, outcomes = run_epoch(state, running)
                now, rows = time.perf_counter(), []
                left = max(configs[k].epochs - epochs[k] for k in map(int, np.flatnonzero(running))) - 1
                clock = {
                    "images_per_s": round(steps * batch / (now - started)),
                    "seconds_left": round((now - began) / number * left),
                }
                for k in map(int, np.flatnonzero(running)):
                    outcome = outcomes[k]
                    if isinstance(outcome, InputError):
                        if not several:
                            raise outcome
                        report(f"Member {k} ({labels(configs)[k]}) is left alone. {str(outcome).split('. ')[0]}")
                        running[k] = False
                        continue
                    states[k] = take(state, k) if several else state
                    states[k] = fetch(states[k]) if layout else states[k]
                    rows.append(_record(configs[k], run_dirs[k], states[k], {**outcome, **clock}))
                    epochs[k] = rows[-1]["epoch"]
                    running[k] = not finished(states[k], configs[k])
                if rows:
                    report(history.progress_line(rows, configs[0].epochs, members=len(configs)))
                if not running.any():
                    break
        except KeyboardInterrupt:
            report(f"Interrupted: epoch {_span(epochs)} is saved in {place}. Start the same command again to go on from there.")
            raise
    losses = [float(s.best_loss) for s in states]
    if not np.isfinite(losses).any():
        raise InputError(f"In {place} no member's loss is finite: take lower learning rates, and another --run-dir")
    best, mean = _span([int(s.best_epoch) for s in states]), np.mean(losses, where=np.isfinite(losses))
    if several:
        report(ranking(configs, losses))
    report(f"Finished after epoch {_span(epochs)}; best epoch {best}, {'mean ' if several else ''}validation loss {mean:.5f}.")
    return states


def _note_environment(config: Config, dataset: Dataset, epochs: dict[Path, int], report: Report) -> None:
    """Reports once what is not as it was when the run directories reached their epochs, and writes down what is."""
    environment = describe_environment(config.data_title, dataset.digest)
    changed = [changes(rundir.read_json(run_dir / "environment.json"), environment) for run_dir in epochs]
    rewound = [history.rewind(run_dir, epoch) for run_dir, epoch in epochs.items()]
    for line in dict.fromkeys(itertools.chain(*changed, *rewound)):
        report(line)
    for run_dir in epochs:
        rundir.write_json(run_dir / "environment.json", environment)


def _record(config: Config, run_dir: Path, state: TrainState, measured: dict[str, Any]) -> dict[str, Any]:
    row = {"data": config.data_title, "epoch": int(state.epoch), "step": int(state.step), **measured}
    history.append(run_dir, row)  # before the checkpoint: a row too many is cut when the run resumes
    checkpoint.save(run_dir, state)
    return row


def _check(configs: Sequence[Config], dataset: Dataset) -> None:
    varying(configs)
    size, batch = len(dataset.train.images), configs[0].batch_size
    for config in configs:
        check_data(config, dataset)
    if batch > size:
        raise InputError(f"batch_size is {batch}, but there are {size} training images: take fewer")


def _span(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if min(numbers) == max(numbers) else f"{min(numbers)} to {max(numbers)}"
