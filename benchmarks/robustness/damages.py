"""What can be damaged in a run and in the data cache, and the functions that damage it."""

import collections
import functools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.data.cache import DIGEST
from jaxae.digests import digest, json_digest
from jaxae.runs import checkpoint
from jaxae.runs.manifest import NAME

RUN = Path("run")
STATES = RUN / checkpoint.FOLDER
NEWEST = STATES / "3"
CACHE = Path("data", "jaxae", "fashion_mnist.npz")
OTHERS = {
    "another run's": Path("run-1", checkpoint.FOLDER, "3"),
    "another epoch's": STATES / "2",
    "other data's": Path("run-2", checkpoint.FOLDER, "3"),
}
"""Whole checkpoints of another seed, of another epoch, and of a run on other data."""

INSTEAD: list[Any] = [0, 1, 7, 0.5, True, None, "x", "0" * 64, [], {}, 1e300]
"""What is written in the place of a value in a JSON file."""

Content = dict[str, Any]
"""The contents of a manifest."""


class Damage(NamedTuple):
    """What is damaged, and the function that does it in a copy of the place."""

    name: str
    do: Callable[[Path, random.Random], None]


def damages(place: Path) -> Iterator[Damage]:
    """Yield every damage to the newest checkpoint, to the files next to it and to the cache."""
    for name, files in sorted(file_classes(place).items()):
        for kind in (flip, truncate, delete):
            yield Damage(name, functools.partial(damage_one, files=files, kind=kind))
        for other in OTHERS.values():
            yield Damage(name, functools.partial(take_one, files=files, other=other))

    for whose, other in OTHERS.items():
        for epoch in ("3", "9"):
            put = functools.partial(put_folder, target=STATES / epoch, source=other)
            yield Damage(f"checkpoint {epoch}, of 3: {whose}", put)

    for field, lie in LIES.items():
        yield Damage(f"manifest, digest mended: {field}", functools.partial(falsify, lie=lie))
    for name in ("config.json", "metrics.jsonl", "environment.json"):
        yield Damage(f"one value in {name}", functools.partial(edit_value, file=RUN / name))
    yield Damage("data cache, another set's", other_cache)
    yield Damage("data cache, one value, digest mended", falsify_cache)


def file_classes(place: Path) -> dict[str, list[Path]]:
    """Return the files of the newest checkpoint and the cache, by their names.

    Those that Orbax names at random are one class.
    """
    classes: dict[str, list[Path]] = collections.defaultdict(list)
    for path in sorted((place / NEWEST).rglob("*")):
        if path.is_file():
            name = path.relative_to(place / NEWEST)
            random_name = name.parent.name == "d"
            key = name.parent / "*" if random_name else name
            classes[key.as_posix()].append(path.relative_to(place))
    classes["data cache"] = [CACHE]
    return classes


def flip(path: Path, draw: random.Random) -> None:
    """Flip one bit; delete the file if it is empty."""
    raw = bytearray(path.read_bytes())
    if not raw:
        path.unlink()
        return
    raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
    path.write_bytes(raw)


def truncate(path: Path, draw: random.Random) -> None:
    """Keep the first half of a file; delete it if it is empty."""
    raw = path.read_bytes()
    if raw:
        path.write_bytes(raw[: len(raw) // 2])
    else:
        path.unlink()


def delete(path: Path, draw: random.Random) -> None:
    """Delete a file."""
    path.unlink()


def damage_one(
    copy: Path, draw: random.Random, *, files: list[Path], kind: Callable[..., None]
) -> None:
    """Damage one of the files."""
    kind(copy / draw.choice(files), draw)


def take_one(copy: Path, draw: random.Random, *, files: list[Path], other: Path) -> None:
    """Put another checkpoint's file in the place of one: the same, or another of its folder."""
    file = draw.choice(files)
    inside = Path(NAME) if file == CACHE else file.relative_to(NEWEST)
    there = copy / other / inside
    if not there.is_file():
        there = draw.choice(sorted(there.parent.iterdir()))
    shutil.copy(there, copy / file)


def put_folder(copy: Path, draw: random.Random, *, target: Path, source: Path) -> None:
    """Put a copy of one folder in the place of another."""
    shutil.rmtree(copy / target, ignore_errors=True)
    shutil.copytree(copy / source, copy / target)


def falsify(
    copy: Path, draw: random.Random, *, lie: Callable[[Content, random.Random, Path], None]
) -> None:
    """Change the newest checkpoint and its manifest, and mend the manifest's own digest."""
    path = copy / NEWEST / NAME
    content = json.loads(path.read_text())["content"]
    lie(content, draw, copy / NEWEST)
    path.write_text(json.dumps({"sha256": json_digest(content), "content": content}))


def _epoch(content: Content, draw: random.Random, folder: Path) -> None:
    content["epoch"] = draw.choice([1, 2, 4])


def _best_epoch(content: Content, draw: random.Random, folder: Path) -> None:
    content["best_epoch"] = draw.choice([1, 2, 4])


def _seed(content: Content, draw: random.Random, folder: Path) -> None:
    content["owner"]["recipe"]["seed"] = 1


def _noise(content: Content, draw: random.Random, folder: Path) -> None:
    content["owner"]["recipe"]["noise_factor"] = draw.random()


def _data(content: Content, draw: random.Random, folder: Path) -> None:
    content["owner"]["data_sha256"] = "0" * 64


def _leaf_type(content: Content, draw: random.Random, folder: Path) -> None:
    leaves = content["leaves"]["variables"]
    leaves[draw.choice(sorted(leaves))] = "float16[2]"


def _leaf_missing(content: Content, draw: random.Random, folder: Path) -> None:
    content["leaves"]["variables"].popitem()


def _digest(content: Content, draw: random.Random, folder: Path) -> None:
    content["sha256"][draw.choice(sorted(content["sha256"]))] = "0" * 64


def _array(content: Content, draw: random.Random, folder: Path) -> None:
    item = draw.choice(sorted(content["sha256"]))
    flip(draw.choice(sorted((folder / item / "d").iterdir())), draw)


LIES = {
    "epoch": _epoch,
    "best epoch": _best_epoch,
    "seed": _seed,
    "noise": _noise,
    "data": _data,
    "an array's type": _leaf_type,
    "an array is missing": _leaf_missing,
    "arrays' digest": _digest,
    "one bit of an array": _array,
}


def edit_value(copy: Path, draw: random.Random, *, file: Path) -> None:
    """Change one value of a JSON file, or of one line of a file of JSON lines."""
    text = (copy / file).read_text()
    lines = [text] if file.suffix == ".json" else text.splitlines()
    number = draw.randrange(len(lines))
    content = json.loads(lines[number])
    content[draw.choice(sorted(content))] = draw.choice(INSTEAD)
    lines[number] = json.dumps(content)
    (copy / file).write_text("\n".join(lines) + "\n")


def other_cache(copy: Path, draw: random.Random) -> None:
    """Put the arrays of another data set in the place of the cache."""
    shutil.copy(copy / "other.npz", copy / CACHE)


def falsify_cache(copy: Path, draw: random.Random) -> None:
    """Change one value of an array in the cache, and its own digest."""
    with np.load(copy / CACHE) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    array = arrays[draw.choice(sorted(arrays))].reshape(-1)
    array[draw.randrange(array.size)] ^= 1
    np.savez(copy / CACHE, allow_pickle=False, **arrays, **{DIGEST: np.array(digest(arrays))})
