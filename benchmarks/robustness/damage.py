"""Damage every class of file of a run and of the data cache in turn, and count what comes of it."""

import collections
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from benchmarks.robustness.damages import RUN, damages
from jaxae.build import state_shapes
from jaxae.cli import command
from jaxae.config import Config
from jaxae.core.state import model_variables
from jaxae.data import load as data_load
from jaxae.data.dataset import Dataset, check_data
from jaxae.data.load import load_dataset, synthetic_dataset
from jaxae.data.synthetic import synthetic_arrays
from jaxae.digests import digest
from jaxae.errors import InputError, silent
from jaxae.evaluation.tables import markdown
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import owner_of, tree_digest
from jaxae.train.loop import fit_members

OUTCOMES = ("exact", "fell back", "named error", "WRONG")
RECIPE = Config(dataset="synthetic", epochs=3, batch_size=64)


def main(trials: int = 360, seed: int = 0) -> None:
    """Damage a file, then load it to go on training, to evaluate, or to train on.

    No load may give a state that the run did not save for that epoch.

    Args:
        trials: Number of damages: each kind to each class of file, in turn.
        seed: Seed of the choice of files, bits and values.
    """
    draw = random.Random(seed)
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    with tempfile.TemporaryDirectory() as name:
        good = Path(name) / "good"
        broken = Path(name) / "broken"
        loaders = Loaders(good)
        cases = list(damages(good))
        for trial in range(trials):
            damage = cases[trial % len(cases)]
            shutil.rmtree(broken, ignore_errors=True)
            shutil.copytree(good, broken)
            damage.do(broken, draw)
            for what, loader in loaders.of(damage.name).items():
                counts[damage.name, what][loader(broken)] += 1

    rows = [
        [*case, *(str(counter[outcome] or "") for outcome in OUTCOMES)]
        for case, counter in sorted(counts.items())
    ]
    loads = sum(counter.total() for counter in counts.values())
    wrong = sum(counter["WRONG"] for counter in counts.values())
    print(markdown(["what is damaged", "load", *OUTCOMES], rows))
    print(f"{trials} damages, {loads} loads, {wrong} wrong states")
    if wrong:
        sys.exit(1)


class Loaders:
    """Three runs of three epochs and two data caches; each loader says what came of a load."""

    def __init__(self, place: Path) -> None:
        self.data = make_runs(place)
        self.cached = make_caches(place)

        self.like = state_shapes(RECIPE)
        self.owner = owner_of(RECIPE, data_sha256=self.data.digest)
        self.states: dict[int, str] = {}
        self.variables: dict[int, str] = {}
        for epoch in checkpoint.epochs(place / RUN):
            state = checkpoint.read(place / RUN, epoch, self.like)
            self.states[epoch] = tree_digest(state)
            self.variables[epoch] = tree_digest(model_variables(state))

        if load(place / RUN).epoch != 3:
            raise InputError("The newest epoch is not the best: no damage would reach the best")

    def of(self, damage: str) -> dict[str, Callable[[Path], str]]:
        """Return the loaders that a damage concerns."""
        if damage.startswith("data cache"):
            return {"cache": self.cache}
        # The second moves damaged checkpoints away.
        return {"best": self.best, "latest": self.latest}

    def latest(self, place: Path) -> str:
        """Load as training does when it goes on."""
        told: list[str] = []
        try:
            state = checkpoint.load_latest(
                place / RUN, self.like, owner=self.owner, report=told.append
            )
        except InputError as error:
            return "named error" if str(RUN) in str(error) else "WRONG"

        if state is None or tree_digest(state) != self.states.get(int(state.epoch)):
            return "WRONG"
        if int(state.epoch) == 3 and not told:
            return "exact"
        return "fell back" if told and (place / RUN / checkpoint.ASIDE).is_dir() else "WRONG"

    def best(self, place: Path) -> str:
        """Load as evaluation does, and check the data."""
        try:
            run = load(place / RUN)
            check_data(run.config, self.data, trained_on=run.data_sha256)
        except InputError as error:
            return "named error" if str(RUN) in str(error) else "WRONG"

        if tree_digest(run.variables) != self.variables.get(run.epoch):
            return "WRONG"
        return "exact" if run.epoch == 3 else "fell back"

    def cache(self, place: Path) -> str:
        """Load the data; what does not match its digest is fetched again, and reported."""
        told: list[str] = []
        data = load_dataset("fashion_mnist", data_dir=place / "data", report=told.append)
        if data.digest != self.cached:
            return "WRONG"
        return "fell back" if told else "exact"


def make_runs(place: Path) -> Dataset:
    """Train a run, one with another seed, and one on other data. Return the first one's data."""
    data = synthetic_dataset(jax.random.key(0), train=600, test=60)
    other = synthetic_dataset(jax.random.key(1), train=600, test=60)
    fit_members([RECIPE], data, [place / RUN], report=silent)
    fit_members([replace(RECIPE, seed=1)], data, [place / "run-1"], report=silent)
    fit_members([RECIPE], other, [place / "run-2"], report=silent)
    return data


def make_caches(place: Path) -> str:
    """Fill the data cache, and other.npz with other arrays. Return the digest of the data."""
    arrays = synthetic_arrays(jax.random.key(0), train=600, test=60)
    other = synthetic_arrays(jax.random.key(1), train=600, test=60)
    data_load.fetch = lambda *arguments: arrays  # in the place of a download
    data_load.FASHION_MNIST_SHA256 = digest(arrays)
    np.savez(place / "other.npz", allow_pickle=False, **other)
    return load_dataset("fashion_mnist", data_dir=place / "data", report=silent).digest


if __name__ == "__main__":
    command.run(main)
