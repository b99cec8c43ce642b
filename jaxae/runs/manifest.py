"""What a checkpoint directory says of itself: its best epoch, and digests of its leaves and of its files.

Orbax casts a wrong dtype in silence and loads an array with a flipped bit; this file is why jaxae does not.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import BaseModel, NonNegativeInt, model_validator

from jaxae.config import Config
from jaxae.core.rng import keys_to_data
from jaxae.digests import digest, file_digest, json_digest
from jaxae.errors import DamagedError, InputError

NAME = "manifest.json"
ENDS = ("epochs", "early_stop_patience")
"""What a checkpoint's owner is not asked for: when the run ends. The directory's own recipe is compared whole."""


class Manifest(BaseModel, extra="forbid", strict=True):
    """The contents of manifest.json. Versions before owner and epoch wrote none of the two."""

    best_epoch: NonNegativeInt
    epoch: NonNegativeInt | None = None
    owner: dict[str, Any] = {}
    """Whose checkpoint it is: owner_of."""
    leaves: dict[str, dict[str, str]]
    """Of each item, path → dtype and shape."""
    sha256: dict[str, str]
    """Of each item, the digest of its arrays."""
    files: dict[str, str]
    """Of each file below the checkpoint's folder, the digest."""

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        inside = all(
            not Path(name).is_absolute() and ".." not in Path(name).parts and Path(name).parts
            for name in self.files
        )
        if not self.leaves or self.leaves.keys() != self.sha256.keys() or not inside:
            raise ValueError("items without a digest, or files outside")
        return self


def owner_of(config: Config, *, data_sha256: str | None = None) -> dict[str, Any]:
    """Whose a checkpoint is: its run's recipe, but for when it ends, and the digest of its data where that is known."""
    recipe = {
        name: value for name, value in json.loads(config.to_json()).items() if name not in ENDS
    }
    return {"recipe": recipe, **({"data_sha256": data_sha256} if data_sha256 else {})}


def write_manifest(
    folder: Path, items: dict[str, Any], *, epoch: int, best_epoch: int, owner: Mapping[str, Any]
) -> None:
    """Describes the items that have been saved in folder/ITEM, and every file in it."""
    content = {
        "epoch": epoch,
        "best_epoch": best_epoch,
        "owner": owner,
        "leaves": {name: describe_leaves(item) for name, item in items.items()},
        "sha256": {name: tree_digest(item) for name, item in items.items()},
        "files": {
            str(file.relative_to(folder)): file_digest(file)
            for file in folder.rglob("*")
            if file.is_file()
        },
    }
    (folder / NAME).write_text(
        json.dumps({"sha256": json_digest(content), "content": content}, indent=2)
    )


def read_manifest(folder: Path) -> Manifest:
    """What write_manifest wrote, about the epoch that folder is named after. Raises DamagedError."""
    try:
        manifest = json.loads((folder / NAME).read_bytes())
        if json_digest(manifest["content"]) == manifest["sha256"]:
            found = Manifest.model_validate(manifest["content"])
            if found.epoch is not None and folder.name != str(found.epoch):
                raise DamagedError(
                    f"The checkpoint {folder} is that of epoch {found.epoch}, under another's name"
                )
            return found
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DamagedError(f"The checkpoint file {folder / NAME} is missing or damaged")


def check_owner(folder: Path, manifest: Manifest, owner: Mapping[str, Any]) -> None:
    """Raises InputError where the checkpoint was saved by a run with another recipe, or on other data."""
    stored, mine = ({**each, **each.get("recipe", {})} for each in (manifest.owner, owner))
    for name in sorted((stored.keys() & mine.keys()) - {"recipe"}):
        if stored[name] != mine[name]:
            if name == "data_sha256":
                raise InputError(
                    f"The data are not those that the checkpoint {folder} was trained on: name another --run-dir"
                )
            difference = f"{name}: {stored[name]}, not {mine[name]}"
            raise InputError(
                f"The checkpoint {folder} is another run's ({difference}): take it away, or name its own run"
            )


def check_fit(folder: Path, manifest: Manifest, like: dict[str, Any]) -> None:
    """Raises InputError where the items saved are not those of `like`, leaf by leaf."""
    for name, item in like.items():
        if name not in manifest.leaves:
            raise InputError(
                f"The checkpoint {folder} has no {name} state: it was released to evaluate, and can't be resumed"
            )
        stored, wanted = manifest.leaves[name], describe_leaves(item)
        for leaf in sorted(stored.keys() | wanted.keys()):
            have, want = stored.get(leaf, "nothing"), wanted.get(leaf, "nothing")
            if have != want:
                raise InputError(
                    f"The checkpoint {folder} does not fit: {leaf} is {have} there, and here it would be {want}. "
                    "Another version of jaxae wrote it, or another recipe: use that one, or train in another --run-dir"
                )


def check_files(folder: Path, manifest: Manifest, like: dict[str, Any]) -> None:
    """Raises DamagedError where a file is not what was saved; items that are not in `like` are passed over."""
    unwanted = manifest.leaves.keys() - like.keys()
    for name, sha256 in manifest.files.items():
        path = folder / name
        if Path(name).parts[0] not in unwanted and not (
            path.is_file() and file_digest(path) == sha256
        ):
            raise DamagedError(f"The checkpoint file {path} is missing or damaged")


def check_items(folder: Path, manifest: Manifest, items: dict[str, Any]) -> None:
    """Raises DamagedError where the arrays that were loaded are not those that were saved."""
    for name, item in items.items():
        if tree_digest(item) != manifest.sha256[name]:
            raise DamagedError(
                f"The checkpoint {folder} is damaged: the SHA-256 of its {name} is not the one that was saved"
            )


def tree_digest(tree: Any) -> str:
    """digest of a pytree's leaves under their paths; typed keys count by their data."""
    return digest(
        {name: np.asarray(leaf) for name, leaf in named_leaves(keys_to_data(tree)).items()}
    )


def describe_leaves(tree: Any) -> dict[str, str]:
    """path → "float32[784, 512]" for each leaf of a pytree of arrays or shapes."""
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in named_leaves(tree).items()}


def named_leaves(tree: Any) -> dict[str, Any]:
    """path → leaf for each leaf of a pytree, such as params/encoder/Dense_0/kernel."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
