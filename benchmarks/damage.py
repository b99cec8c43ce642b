"""Damages every class of file of a checkpoint and of the data cache in turn, and counts what comes of it."""

import collections
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from jaxae.best import load_best
from jaxae.build import state_shapes
from jaxae.cli import command
from jaxae.config import Config
from jaxae.core.state import model_variables
from jaxae.data import load
from jaxae.data.load import load_dataset, synthetic_dataset
from jaxae.data.synthetic import synthetic_arrays
from jaxae.digests import digest, tree_digest
from jaxae.errors import InputError, silent
from jaxae.runs import checkpoint
from jaxae.train.loop import fit_members

DAMAGES = ("flip", "truncate", "delete")
OUTCOMES = ("exact", "fell back", "named error", "WRONG")


def main(trials: int = 240, seed: int = 0) -> None:
    """Flips one bit of a file, cuts it in half or deletes it, and loads. A wrong state must never come of it.

    Args:
        trials: Number of damages, dealt to the classes of files and the kinds of damage in turn.
        seed: Seed of the choice of files and bits.
    """
    draw = random.Random(seed)
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as name:
        good, broken = Path(name) / "good", Path(name) / "broken"
        loads = prepare(good)
        targets = dict(file_classes(good))
        cases = [(group, damage) for group in sorted(targets) for damage in DAMAGES]
        for trial in range(trials):
            group, damage = cases[trial % len(cases)]
            victim = draw.choice(targets[group])
            for what, load in loads.items():
                if what.startswith("cache") == (group == "data cache"):
                    shutil.rmtree(broken, ignore_errors=True)
                    shutil.copytree(good, broken, copy_function=os.link)
                    spoil(broken / victim, damage, draw)
                    counts[group, what][load(broken)] += 1
    print(f"{'class of file':34} {'loading':10}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES))
    for (group, what), counter in sorted(counts.items()):
        print(f"{group:34} {what:10}" + "".join(f"{counter[outcome]:13d}" for outcome in OUTCOMES))
    wrong = sum(counter["WRONG"] for counter in counts.values())
    print(f"{trials} damages, {sum(counter.total() for counter in counts.values())} loads, {wrong} wrong states")
    if wrong:
        sys.exit(1)


def prepare(place: Path) -> dict[str, Callable[[Path], str]]:
    """Makes a run of three epochs and a data cache; returns the loaders, each of which says what came of a load."""
    config = Config(dataset="synthetic", epochs=3, batch_size=64)
    key = jax.random.key(0)
    fit_members([config], synthetic_dataset(key, train=600, test=60), [place / "run"], report=silent)
    arrays = synthetic_arrays(key, train=600, test=60)
    load.fetch = lambda *arguments: arrays  # stands in for TFDS, which has tests of its own
    load.FASHION_MNIST_SHA256 = digest(arrays)
    cached = load_dataset("fashion_mnist", data_dir=place / "data").digest

    like, path = state_shapes(config), place / "run"
    whole = {epoch: checkpoint.read(path, epoch, like) for epoch in checkpoint.epochs(path)}
    digests = {epoch: tree_digest(state) for epoch, state in whole.items()}
    best_epoch = load_best(path, model_variables(like)).epoch
    if best_epoch != 3:
        raise InputError(
            f"The newest of three epochs should be the best, and it is {best_epoch}: the best would not be damaged"
        )

    def latest(place: Path) -> str:
        told: list[str] = []
        try:
            state = checkpoint.load_latest(place / "run", like, report=told.append)
        except InputError as error:
            return "named error" if "states/" in str(error) else "WRONG"
        if state is not None and tree_digest(state) == digests[3] and not told:
            return "exact"
        set_aside = (place / "run" / checkpoint.ASIDE / "3-0").is_dir()
        good = state is not None and tree_digest(state) in digests.values()
        return "fell back" if good and told and set_aside else "WRONG"

    def best_of(place: Path) -> str:
        try:
            found = load_best(place / "run", model_variables(like))
        except InputError as error:
            return "named error" if "states/" in str(error) else "WRONG"
        if tree_digest(found.variables) != tree_digest(model_variables(whole[found.epoch])):
            return "WRONG"
        said = found.damaged == best_epoch
        return "exact" if found.epoch == best_epoch and not said else "fell back" if said else "WRONG"

    def cached_arrays(place: Path) -> str:
        told: list[str] = []
        same = load_dataset("fashion_mnist", data_dir=place / "data", report=told.append).digest == cached
        return "WRONG" if not same else "fell back" if told else "exact"

    return {"latest": latest, "best": best_of, "cache": cached_arrays}


def file_classes(place: Path) -> Iterator[tuple[str, list[Path]]]:
    """The files of the newest checkpoint and of the cache by class: their names, without what Orbax draws at random."""
    groups: dict[str, list[Path]] = collections.defaultdict(list)
    newest = place / "run" / checkpoint.FOLDER / "3"
    for path in sorted(newest.rglob("*")):
        if path.is_file():
            parts = list(path.relative_to(newest).parts)
            groups["/".join([*parts[:-1], "*"] if parts[-2:-1] == ["d"] else parts)].append(path.relative_to(place))
    groups["data cache"] = [path.relative_to(place) for path in (place / "data").rglob("*.npz")]
    yield from groups.items()


def spoil(path: Path, damage: str, draw: random.Random) -> None:
    """Flips a random bit, cuts the file in half, or deletes it. An empty file can only be deleted."""
    raw = np.frombuffer(path.read_bytes(), np.uint8).copy()
    path.unlink()  # it is a link to the good one
    if damage == "delete" or not len(raw):
        return
    if damage == "truncate":
        path.write_bytes(raw[: len(raw) // 2].tobytes())
    else:
        raw[draw.randrange(len(raw))] ^= np.uint8(1 << draw.randrange(8))
        path.write_bytes(raw.tobytes())


if __name__ == "__main__":
    command.run(main)
