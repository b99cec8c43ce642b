"""Damages, swaps and falsifies every class of file of a run and of the data cache in turn, and counts what comes of it."""

import collections
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae.build import state_shapes
from jaxae.cli import command
from jaxae.config import Config
from jaxae.core.state import model_variables
from jaxae.data import load as data_load
from jaxae.data.dataset import check_data
from jaxae.data.load import load_dataset, synthetic_dataset
from jaxae.data.synthetic import synthetic_arrays
from jaxae.digests import digest, file_digest, json_digest, tree_digest
from jaxae.errors import InputError, silent
from jaxae.inference import load
from jaxae.runs import checkpoint
from jaxae.runs.manifest import NAME, owner_of
from jaxae.train.loop import fit_members

DAMAGES = ("flip", "truncate", "delete", "another run's", "another epoch's", "other data's")
OUTCOMES = ("exact", "fell back", "named error", "WRONG")
RECIPE = Config(dataset="synthetic", epochs=3, batch_size=64)
RUN, STATES, CACHE = Path("run"), Path("run", checkpoint.FOLDER), Path("data", "jaxae", "fashion_mnist.npz")
OTHERS = {"another run's": "run-1", "another epoch's": "run", "other data's": "run-2"}
"""Beside the good run: one with another seed, and one on other data."""


def main(trials: int = 360, seed: int = 0) -> None:
    """Flips a bit, cuts a file in half, deletes it, puts another one's in its place, or edits a value and mends the digests.

    Then it loads, to go on and to evaluate. A state that the run did not save for that epoch must never come of it.

    Args:
        trials: Number of damages, dealt to the classes of files and the kinds of damage in turn.
        seed: Seed of the choice of files, bits and values.
    """
    draw = random.Random(seed)
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
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
    print(f"{'what is damaged':52} {'loading':8}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES))
    for (group, what), counter in sorted(counts.items()):
        print(f"{group:52} {what:8}" + "".join(f"{counter[outcome]:13d}" for outcome in OUTCOMES))
    wrong = sum(counter["WRONG"] for counter in counts.values())
    print(f"{trials} damages, {sum(counter.total() for counter in counts.values())} loads, {wrong} wrong states")
    if wrong:
        sys.exit(1)


def prepare(place: Path) -> dict[str, Callable[[Path], str]]:
    """Makes three runs of three epochs and two data caches; returns the loaders, each of which says what came of a load."""
    data = synthetic_dataset(jax.random.key(0), train=600, test=60)
    other = synthetic_dataset(jax.random.key(1), train=600, test=60)
    fit_members([RECIPE], data, [place / "run"], report=silent)
    fit_members([Config(dataset="synthetic", epochs=3, batch_size=64, seed=1)], data, [place / "run-1"], report=silent)
    fit_members([RECIPE], other, [place / "run-2"], report=silent)
    arrays = synthetic_arrays(jax.random.key(0), train=600, test=60)
    data_load.fetch = lambda *arguments: arrays  # stands in for TFDS, which has tests of its own
    data_load.FASHION_MNIST_SHA256 = digest(arrays)
    cached = load_dataset("fashion_mnist", data_dir=place / "data").digest
    np.savez(place / "other.npz", allow_pickle=False, **synthetic_arrays(jax.random.key(1), train=600, test=60))

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
        return "exact" if int(state.epoch) == 3 and not told else "fell back" if told and aside else "WRONG"

    def best_of(place: Path) -> str:
        """As evaluation does: the run, and whether the data are those that it was trained on."""
        told: list[str] = []
        try:
            found = load(place / RUN, report=told.append)
            check_data(found.config, data, trained_on=found.data_sha256)
        except InputError as error:
            return "named error" if f"{RUN}" in str(error) else "WRONG"
        if tree_digest(found.variables) != variables.get(found.epoch):
            return "WRONG"
        return "exact" if found.epoch == 3 and not told else "fell back"  # the epoch is told with every result

    def cached_arrays(place: Path) -> str:
        told: list[str] = []
        same = load_dataset("fashion_mnist", data_dir=place / "data", report=told.append).digest == cached
        return "WRONG" if not same else "fell back" if told else "exact"

    return {"latest": latest, "best": best_of, "cache": cached_arrays}


def damages(place: Path) -> Iterator[tuple[str, Callable[[Path, random.Random], None]]]:
    """What is damaged, and the function that damages it in a copy of the place."""
    for group, victims in sorted(file_classes(place).items()):
        for damage in DAMAGES:
            yield group, lambda copy, draw, v=victims, d=damage: spoil(copy, draw.choice(v), d, draw)  # type: ignore[misc]
    for whose, other in OTHERS.items():
        source = Path(other, checkpoint.FOLDER, "2" if other == "run" else "3")
        yield f"the whole checkpoint: {whose}", lambda copy, _, s=source: replace(copy / STATES / "3", copy / s)  # type: ignore[misc]
        yield f"one more checkpoint, of epoch 9: {whose}", lambda copy, _, s=source: replace(copy / STATES / "9", copy / s)  # type: ignore[misc]
    for field, lie in LIES.items():
        yield f"manifest, digests mended: {field}", lambda copy, draw, edit=lie: falsify(copy / STATES / "3", edit, draw)  # type: ignore[misc]
    for name in ("config.json", "metrics.jsonl", "environment.json"):
        yield f"one value in {name}", lambda copy, draw, n=name: edit_value(copy / RUN / n, draw)  # type: ignore[misc]
    yield "data cache, another set's", lambda copy, _: replace(copy / CACHE, copy / "other.npz")
    yield "data cache, one value, digests mended", falsify_cache


def file_classes(place: Path) -> dict[str, list[Path]]:
    """The files of the newest checkpoint and of the cache by class: their names, without what Orbax draws at random."""
    groups: dict[str, list[Path]] = collections.defaultdict(list)
    newest = place / STATES / "3"
    for path in sorted(newest.rglob("*")):
        if path.is_file():
            parts = list(path.relative_to(newest).parts)
            groups["/".join([*parts[:-1], "*"] if parts[-2:-1] == ["d"] else parts)].append(path.relative_to(place))
    groups["data cache"] = [CACHE]
    return groups


def spoil(copy: Path, victim: Path, damage: str, draw: random.Random) -> None:
    """One of DAMAGES. An empty file can only be deleted; what has no counterpart in the other place is too."""
    path = copy / victim
    raw = np.frombuffer(path.read_bytes(), np.uint8).copy()
    if damage in OTHERS:
        inside = victim.relative_to(STATES / "3") if victim != CACHE else Path("manifest.json")
        folder = copy / OTHERS[damage] / checkpoint.FOLDER / ("2" if damage == "another epoch's" else "3") / inside.parent
        there = [folder / inside.name] if (folder / inside.name).is_file() else sorted(folder.glob("*"))
        replace(path, draw.choice(there))
    elif damage == "delete" or not len(raw):
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(raw[: len(raw) // 2].tobytes())
    else:
        raw[draw.randrange(len(raw))] ^= np.uint8(1 << draw.randrange(8))
        path.write_bytes(raw.tobytes())


def replace(path: Path, source: Path) -> None:
    """Puts a copy of a file or folder in another's place."""
    if path.is_dir():
        shutil.rmtree(path)
    if source.is_dir():
        shutil.copytree(source, path)
    else:
        shutil.copy(source, path)


def _flip(content: dict[str, Any], draw: random.Random, folder: Path, item: str) -> None:
    file = draw.choice([name for name in content["files"] if name.startswith(f"{item}/d/")])
    spoil(folder, Path(file), "flip", draw)
    content["files"][file] = file_digest(folder / file)


LIES: dict[str, Callable[[dict[str, Any], random.Random, Path], object]] = {
    "epoch": lambda content, draw, _: content.update(epoch=draw.choice([1, 2, 4])),
    "best_epoch": lambda content, draw, _: content.update(best_epoch=draw.choice([1, 2, 4])),
    "seed": lambda content, draw, _: content["owner"]["recipe"].update(seed=1),
    "noise": lambda content, draw, _: content["owner"]["recipe"].update(noise_factor=draw.random()),
    "data": lambda content, draw, _: content["owner"].update(data_sha256="0" * 64),
    "a leaf's type": lambda content, draw, _: content["leaves"]["variables"].update(
        {draw.choice(sorted(content["leaves"]["variables"])): "float16[2]"}
    ),
    "a leaf is missing": lambda content, draw, _: content["leaves"]["variables"].popitem(),
    "arrays' digest": lambda content, draw, _: content["sha256"].update({draw.choice(["variables", "training"]): "0" * 64}),
    "a file's digest": lambda content, draw, _: content["files"].update({draw.choice(sorted(content["files"])): "0" * 64}),
    "no files": lambda content, draw, _: content["files"].clear(),
    "a file elsewhere": lambda content, draw, _: content["files"].update({"../2/manifest.json": "0" * 64}),
    "one bit of the variables": lambda content, draw, folder: _flip(content, draw, folder, "variables"),
    "one bit of the rest": lambda content, draw, folder: _flip(content, draw, folder, "training"),
}
"""What is falsified in a manifest whose own digest is then right again; of a flipped bit the file's digest is too."""


def falsify(folder: Path, edit: Callable[[dict[str, Any], random.Random, Path], object], draw: random.Random) -> None:
    """Edits the manifest of a checkpoint, and mends its digest."""
    content = json.loads((folder / NAME).read_text())["content"]
    edit(content, draw, folder)
    (folder / NAME).write_text(json.dumps({"sha256": json_digest(content), "content": content}))


def edit_value(path: Path, draw: random.Random) -> None:
    """Edits one value of a JSON object in a line or in a file."""
    whole = path.suffix == ".json"
    lines = [path.read_text()] if whole else path.read_text().splitlines()
    number = draw.randrange(len(lines))
    content = json.loads(lines[number])
    content[draw.choice(sorted(content))] = draw.choice([0, 1, 7, 0.5, True, None, "x", "0" * 64, [], {}, 1e300])
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n")


def falsify_cache(copy: Path, draw: random.Random) -> None:
    """Changes one value of an array, in a file that attests itself."""
    with np.load(copy / CACHE) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    array = arrays[draw.choice(sorted(arrays))].reshape(-1)
    array[draw.randrange(array.size)] ^= 1
    np.savez(copy / CACHE, allow_pickle=False, **arrays, **{data_load.DIGEST: np.array(digest(arrays))})


if __name__ == "__main__":
    command.run(main)
