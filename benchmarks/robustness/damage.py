"""Damages, swaps and falsifies every class of file of a run and of the data cache in turn, and counts what comes of it."""

import collections
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from benchmarks.robustness.damages import RUN, damages
from jaxae.build import state_shapes
from jaxae.cli import command
from jaxae.config import Config
from jaxae.core.state import model_variables
from jaxae.data import load as data_load
from jaxae.data.dataset import check_data
from jaxae.data.load import load_dataset, synthetic_dataset
from jaxae.data.synthetic import synthetic_arrays
from jaxae.digests import digest
from jaxae.errors import InputError, silent
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import owner_of, tree_digest
from jaxae.train.loop import fit_members

OUTCOMES = ("exact", "fell back", "named error", "WRONG")
RECIPE = Config(dataset="synthetic", epochs=3, batch_size=64)


def main(trials: int = 360, seed: int = 0) -> None:
    """Flips a bit, cuts a file in half, deletes it, puts another one's in its place, or edits a value and mends the digests.

    Then it loads, to go on and to evaluate. A state that the run did not save for that epoch must never come of it.

    Args:
        trials: Number of damages, dealt to the classes of files and the kinds of damage in turn.
        seed: Seed of the choice of files, bits and values.
    """
    draw = random.Random(seed)
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    with tempfile.TemporaryDirectory() as name:
        good, broken = Path(name) / "good", Path(name) / "broken"
        loads = prepare(good)
        cases = list(damages(good))
        for trial in range(trials):
            group, damage = cases[trial % len(cases)]
            shutil.rmtree(broken, ignore_errors=True)
            shutil.copytree(good, broken)
            damage(broken, draw)
            for what, outcome in loads.items():
                if (what == "cache") == group.startswith("data cache"):
                    counts[group, what][outcome(broken)] += 1
    print(
        f"{'what is damaged':52} {'loading':8}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES)
    )
    for (group, what), counter in sorted(counts.items()):
        print(f"{group:52} {what:8}" + "".join(f"{counter[outcome]:13d}" for outcome in OUTCOMES))
    wrong = sum(counter["WRONG"] for counter in counts.values())
    print(
        f"{trials} damages, {sum(counter.total() for counter in counts.values())} loads, {wrong} wrong states"
    )
    if wrong:
        sys.exit(1)


def prepare(place: Path) -> dict[str, Callable[[Path], str]]:
    """Makes three runs of three epochs and two data caches; returns the loaders, each of which says what came of a load."""
    data = synthetic_dataset(jax.random.key(0), train=600, test=60)
    other = synthetic_dataset(jax.random.key(1), train=600, test=60)
    fit_members([RECIPE], data, [place / "run"], report=silent)
    fit_members(
        [Config(dataset="synthetic", epochs=3, batch_size=64, seed=1)],
        data,
        [place / "run-1"],
        report=silent,
    )
    fit_members([RECIPE], other, [place / "run-2"], report=silent)
    arrays = synthetic_arrays(jax.random.key(0), train=600, test=60)
    data_load.fetch = lambda *arguments: arrays  # stands in for TFDS, which has tests of its own
    data_load.FASHION_MNIST_SHA256 = digest(arrays)
    cached = load_dataset("fashion_mnist", data_dir=place / "data").digest
    np.savez(
        place / "other.npz",
        allow_pickle=False,
        **synthetic_arrays(jax.random.key(1), train=600, test=60),
    )

    like, path = state_shapes(RECIPE), place / "run"
    owner = owner_of(RECIPE, data_sha256=data.digest)
    whole = {epoch: checkpoint.read(path, epoch, like) for epoch in checkpoint.epochs(path)}
    digests = {epoch: tree_digest(state) for epoch, state in whole.items()}
    variables = {epoch: tree_digest(model_variables(state)) for epoch, state in whole.items()}
    if (best_epoch := load(path).epoch) != 3:
        raise InputError(
            f"The newest of three epochs should be the best, and it is {best_epoch}: the best would not be damaged"
        )

    def latest(place: Path) -> str:
        told: list[str] = []
        try:
            state = checkpoint.load_latest(place / RUN, like, owner=owner, report=told.append)
        except InputError as error:
            return "named error" if f"{RUN}" in str(error) else "WRONG"
        if state is None or tree_digest(state) != digests.get(int(state.epoch)):
            return "WRONG"
        aside = (place / RUN / checkpoint.ASIDE).is_dir()
        return (
            "exact"
            if int(state.epoch) == 3 and not told
            else "fell back"
            if told and aside
            else "WRONG"
        )

    def best_of(place: Path) -> str:
        """As evaluation does: the run, and whether the data are those that it was trained on."""
        try:
            found = load(place / RUN)
            check_data(found.config, data, trained_on=found.data_sha256)
        except InputError as error:
            return "named error" if f"{RUN}" in str(error) else "WRONG"
        if tree_digest(found.variables) != variables.get(found.epoch):
            return "WRONG"
        return "exact" if found.epoch == 3 else "fell back"

    def cached_arrays(place: Path) -> str:
        told: list[str] = []
        same = (
            load_dataset("fashion_mnist", data_dir=place / "data", report=told.append).digest
            == cached
        )
        return "WRONG" if not same else "fell back" if told else "exact"

    return {"latest": latest, "best": best_of, "cache": cached_arrays}


if __name__ == "__main__":
    command.run(main)
