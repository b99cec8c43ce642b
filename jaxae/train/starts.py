"""Several starts of one recipe, of which one goes on: successive halving (Jamieson and Talwalkar 2016) of a population."""

import itertools
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxae.build import finished
from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.digests import json_digest
from jaxae.runs import checkpoint, directory, files, metrics_log
from jaxae.runs.environment import START
from jaxae.train.open_runs import open_runs
from jaxae.train.store import Store

FIRST_STAGE = 16
"""Epochs after which the first starts are dropped: the losses of fewer tell little of the end (docs/choices.md)."""


class Stage(NamedTuple):
    """Of several starts: how many train up to which epoch."""

    members: int
    epochs: int


def stages(starts: int, *, epochs: int, first: int) -> list[Stage]:
    """The stages in which starts become one: the first ends at epoch `first`, the better half goes on to twice the epoch.

    epochs: the recipe's, which no stage outlasts.
    """
    counts = itertools.takewhile(lambda count: count > 1, (-(-starts // 2**k) for k in itertools.count()))
    return [Stage(count, min(first * 2**k, epochs)) for k, count in enumerate(counts)]


def start_recipes(config: Config) -> list[Config]:
    """A recipe for each start, with a seed of its own; that of the first is the recipe's."""
    seeds = [config.seed, *(int(json_digest([config.seed, k])[:8], 16) for k in range(1, config.starts))]
    return [replace(config, seed=seed, starts=1) for seed in seeds]


def select(losses: npt.ArrayLike, *, keep: int) -> list[int]:
    """The positions of so many of the lowest losses [M], the lowest first; fewer where others are no finite numbers."""
    values = np.asarray(losses)
    return [int(k) for k in np.argsort(values, kind="stable")[:keep] if np.isfinite(values[k])]


def plan_line(plan: Sequence[Stage]) -> str:
    """What several starts will take beyond one."""
    steps = ", ".join(f"{stage.members} to epoch {stage.epochs}" for stage in plan)
    return f"Several starts: {steps}, then the best one alone. They take {extra_epochs(plan)} epochs more than one start."


def extra_epochs(plan: Sequence[Stage]) -> int:
    """How many epochs of one model the stages take beyond those of one start."""
    begins = [0, *(stage.epochs for stage in plan)]
    return sum((stage.members - 1) * (stage.epochs - begin) for stage, begin in zip(plan, begins, strict=False))


def stage_line(epochs: int, starts: Sequence[int], losses: Sequence[float] | np.ndarray, chosen: Sequence[int]) -> str:
    """Which starts go on after a stage, and which were dropped. losses: of each start; chosen: positions in starts."""
    best = [f"start {starts[k]} ({losses[k]:.5f})" for k in chosen]
    verb = "goes" if len(best) == 1 else "go"
    others = [f"{losses[k]:.5f}" if math.isfinite(losses[k]) else "broken" for k in range(len(starts)) if k not in chosen]
    return f"After epoch {epochs}: {' and '.join(best)} {verb} on; dropped: {', '.join(others)}."


def begin_with_best(run: Store, train: Callable[[Store], list[TrainState]]) -> None:
    """Trains the starts of a run stage by stage; the run then goes on with the one that is left. Raises InputError.

    Each start is a run in RUN/starts, and resumes as such. train: trains all members of a store to their ends.
    """
    recipe, kept = run.configs[0], list(range(run.configs[0].starts))
    recipes, plan = start_recipes(recipe), stages(recipe.starts, epochs=recipe.epochs, first=FIRST_STAGE)
    run.report(plan_line(plan))
    before: tuple[Store, list[int]] | None = None
    for stage in plan:
        places = None if run.in_memory else [run.run_dirs[0] / directory.STARTS / str(k) for k in kept]
        configs = [recipes[k] for k in kept]
        with open_runs(places, configs, run.dataset, overwrite=False, until=stage.epochs, report=run.report) as starts:
            if before:
                _hand_on(*before, to=starts)
            states = train(starts)
        whole = [finished(state, config) for state, config in zip(states, starts.configs, strict=True)]  # or they broke
        losses = np.where(whole, [float(state.best_loss) for state in states], np.inf)
        chosen = select(losses, keep=-(-stage.members // 2))
        run.report(stage_line(stage.epochs, kept, losses, chosen))
        kept, before = [kept[k] for k in chosen], (starts, chosen)
    _hand_on(starts, chosen[:1], to=run)
    if not run.in_memory:
        _adopt(run, starts, chosen[0], number=kept[0])


def has_begun(run: Store) -> bool:
    """Whether a run of several starts goes on with one of them already."""
    if run.in_memory:
        return bool(run.loaded)
    place = run.run_dirs[0]
    left = any((place / directory.STARTS).glob(f"*/{checkpoint.FOLDER}"))
    return START in files.read_json(place / "environment.json") or bool(checkpoint.epochs(place) and not left)


def _hand_on(starts: Store, chosen: Sequence[int], *, to: Store) -> None:
    """Lets a store go on with these members of another, which stand where they are if they are on disk."""
    to.told = True
    if to.in_memory:
        to.loaded, to.rows = [starts.latest[k] for k in chosen], [starts.rows[k] for k in chosen]
        to.best = [starts.best[k] for k in chosen]


def _adopt(run: Store, starts: Store, k: int, *, number: int) -> None:
    """Makes a start's best and latest checkpoint and its rows the run's own, and deletes the states of all starts.

    A kill leaves a run that has not begun, whose starts are whole.
    """
    source, place, state = starts.run_dirs[k], run.run_dirs[0], starts.latest[k]
    shutil.rmtree(place / checkpoint.FOLDER, ignore_errors=True)
    metrics_log.write(place, metrics_log.read(source, up_to_epoch=int(state.epoch)))
    for epoch in sorted({int(state.best_epoch), int(state.epoch)}):
        checkpoint.save(place, checkpoint.read(source, epoch, state), owner=run.owners[0])
    begun = {"number": number, "of": run.configs[0].starts, "seed": starts.configs[k].seed, "epoch": int(state.epoch)}
    files.write_json(place / "environment.json", {START: begun})
    for each in (place / directory.STARTS).iterdir():
        shutil.rmtree(each / checkpoint.FOLDER, ignore_errors=True)
