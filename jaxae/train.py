"""fit: the only loop. It has the steps compiled once, saves each epoch, and reports."""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from jaxae import checkpoint, history, rundir
from jaxae.config import Config
from jaxae.data import Dataset, check_data
from jaxae.environment import changes, describe_environment
from jaxae.epoch import bind_epoch
from jaxae.errors import InputError, Report
from jaxae.rng import root_key
from jaxae.state import TrainState, build_parts, init_state


def fit(config: Config, dataset: Dataset, run_dir: Path, *, overwrite: bool = False, report: Report = print) -> TrainState:
    """Trains to the end, resuming what the directory holds, and returns the last state. Raises InputError.

    config.dataset must name the dataset. Every epoch is on disk before its line is reported, so an interruption at any
    moment loses the running epoch at most.
    """
    check_data(config, dataset)
    size = len(dataset.train.images)
    if config.batch_size > size:
        raise InputError(f"batch_size is {config.batch_size}, but there are {size} training images: take fewer")
    with rundir.open_run(run_dir, config, overwrite=overwrite):
        environment = describe_environment(config.data_title, dataset.digest)
        changed = changes(rundir.read_json(run_dir / "environment.json"), environment)
        parts = build_parts(config)
        fresh = jax.jit(functools.partial(init_state, root_key(config.seed, impl=config.prng_impl), parts=parts))
        like = jax.eval_shape(fresh)
        saved_state = checkpoint.load_latest(run_dir, like, report=report)
        first = saved = int(saved_state.epoch) if saved_state else 0
        if saved_state and finished(saved_state, config):
            report(f"{run_dir} is finished: epoch {first}, best epoch {saved_state.best_epoch}. --overwrite trains it again.")
            return saved_state
        report(f"Resuming after epoch {first} in {run_dir}" if first else f"Training in {run_dir}")
        for line in changed + history.rewind(run_dir, first):
            report(line)
        rundir.write_json(run_dir / "environment.json", environment)
        try:
            # In a thread, so that a signal need not wait for the compiler, and the state is drawn meanwhile: a second won.
            compiling = ThreadPoolExecutor(1).submit(bind_epoch, config, parts, dataset, like)
            state = saved_state or fresh()
            run_epoch = compiling.result()
            report(f"Compiled for {jax.devices()[0].device_kind}: {size // config.batch_size} steps an epoch")
            started = time.perf_counter()
            while not finished(state, config):
                epoch_started = time.perf_counter()
                state, losses = run_epoch(state)
                now, epoch = time.perf_counter(), int(state.epoch)
                row = {
                    "data": config.data_title,
                    "epoch": epoch,
                    "step": int(state.step),
                    **losses,
                    "images_per_s": round(size // config.batch_size * config.batch_size / (now - epoch_started)),
                    "seconds_left": round((now - started) / (epoch - first) * (config.epochs - epoch)),
                }
                history.append(run_dir, row)  # before the checkpoint: a row too many is cut when the run resumes
                checkpoint.save(run_dir, state)
                saved = epoch
                report(history.progress_line(row, config.epochs))
        except KeyboardInterrupt:
            report(f"Interrupted: epoch {saved} is saved in {run_dir}. Start the same command again to go on from there.")
            raise
    report(f"Finished after epoch {saved}; best epoch {state.best_epoch}, validation loss {state.best_loss:.5f}.")
    return state


def finished(state: TrainState, config: Config) -> bool:
    """All epochs done, or the learning rate at its floor and no new best for early_stop_patience epochs."""
    at_floor = float(state.plateau.scale) <= float(np.float32(config.min_scale))
    stale = int(state.epoch) - int(state.best_epoch) >= config.early_stop_patience
    return int(state.epoch) >= config.epochs or (at_floor and stale)
