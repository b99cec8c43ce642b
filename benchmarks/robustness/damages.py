"""What can be damaged in a run and in the data cache, and the functions that damage it."""

import collections
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.data.cache import DIGEST
from jaxae.digests import digest, json_digest
from jaxae.runs import checkpoint
from jaxae.runs.manifest import NAME

DAMAGES = ("flip", "truncate", "delete", "another run's", "another epoch's", "other data's")
RUN, STATES, CACHE = (
    Path("run"),
    Path("run", checkpoint.FOLDER),
    Path("data", "jaxae", "fashion_mnist.npz"),
)
OTHERS = {"another run's": "run-1", "another epoch's": "run", "other data's": "run-2"}
"""Beside the good run: one with another seed, and one on other data."""


def damages(place: Path) -> Iterator[tuple[str, Callable[[Path, random.Random], None]]]:
    """What is damaged, and the function that damages it in a copy of the place."""
    for group, victims in sorted(file_classes(place).items()):
        for damage in DAMAGES:
            yield (
                group,
                lambda copy, draw, v=victims, d=damage: spoil(copy, draw.choice(v), d, draw),  # type: ignore[misc]
            )
    for whose, other in OTHERS.items():
        source = Path(other, checkpoint.FOLDER, "2" if other == "run" else "3")
        yield (
            f"the whole checkpoint: {whose}",
            lambda copy, _, s=source: replace(copy / STATES / "3", copy / s),  # type: ignore[misc]
        )
        yield (
            f"one more checkpoint, of epoch 9: {whose}",
            lambda copy, _, s=source: replace(copy / STATES / "9", copy / s),  # type: ignore[misc]
        )
    for field, lie in LIES.items():
        yield (
            f"manifest, digests mended: {field}",
            lambda copy, draw, edit=lie: falsify(copy / STATES / "3", edit, draw),  # type: ignore[misc]
        )
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
            groups["/".join([*parts[:-1], "*"] if parts[-2:-1] == ["d"] else parts)].append(
                path.relative_to(place)
            )
    groups["data cache"] = [CACHE]
    return groups


def spoil(copy: Path, victim: Path, damage: str, draw: random.Random) -> None:
    """One of DAMAGES. An empty file can only be deleted; what has no counterpart in the other place is too."""
    path = copy / victim
    raw = np.frombuffer(path.read_bytes(), np.uint8).copy()
    if damage in OTHERS:
        inside = victim.relative_to(STATES / "3") if victim != CACHE else Path("manifest.json")
        folder = (
            copy
            / OTHERS[damage]
            / checkpoint.FOLDER
            / ("2" if damage == "another epoch's" else "3")
            / inside.parent
        )
        there = (
            [folder / inside.name] if (folder / inside.name).is_file() else sorted(folder.glob("*"))
        )
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
    file = draw.choice(sorted((folder / item / "d").iterdir()))
    spoil(folder, file.relative_to(folder), "flip", draw)


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
    "arrays' digest": lambda content, draw, _: content["sha256"].update(
        {draw.choice(["variables", "training"]): "0" * 64}
    ),
    "one bit of the variables": lambda content, draw, folder: _flip(
        content, draw, folder, "variables"
    ),
    "one bit of the rest": lambda content, draw, folder: _flip(content, draw, folder, "training"),
}
"""What is falsified in a manifest whose own digest is then right again."""


def falsify(
    folder: Path, edit: Callable[[dict[str, Any], random.Random, Path], object], draw: random.Random
) -> None:
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
    content[draw.choice(sorted(content))] = draw.choice(
        [0, 1, 7, 0.5, True, None, "x", "0" * 64, [], {}, 1e300]
    )
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n")


def falsify_cache(copy: Path, draw: random.Random) -> None:
    """Changes one value of an array, in a file that attests itself."""
    with np.load(copy / CACHE) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    array = arrays[draw.choice(sorted(arrays))].reshape(-1)
    array[draw.randrange(array.size)] ^= 1
    np.savez(copy / CACHE, allow_pickle=False, **arrays, **{DIGEST: np.array(digest(arrays))})
