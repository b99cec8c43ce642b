"""The manifest of a checkpoint: its epoch, its owner, and a digest of each item's arrays.

Orbax casts a wrong dtype silently and loads an array with a flipped bit; the manifest detects both.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import BaseModel, NonNegativeInt, model_validator

from jaxae.config import Config
from jaxae.core.rng import keys_to_data
from jaxae.digests import digest, json_digest
from jaxae.errors import DamagedError, InputError

NAME = "manifest.json"
ENDS = ("epochs", "early_stop_patience")
"""Fields that only say when a run ends: a checkpoint's owner leaves them out."""


class Owner(BaseModel, extra="forbid", strict=True, frozen=True):
    """The run that a checkpoint belongs to, as far as it is known."""

    recipe: dict[str, Any] = {}
    """The run's recipe without ENDS and without the place of its data, which may move."""
    data_sha256: str | None = None
    """Digest of the data that the run was trained on."""


NOBODY = Owner()
"""An owner about whom nothing is known: every checkpoint passes for his."""


class Manifest(BaseModel, extra="forbid", strict=True):
    """The contents of manifest.json."""

    best_epoch: NonNegativeInt
    epoch: NonNegativeInt | None = None
    """None in the manifests of the first versions."""
    owner: Owner = NOBODY
    leaves: dict[str, dict[str, str]]
    """For each item: path → dtype and shape of each of its arrays."""
    sha256: dict[str, str]
    """For each item: the digest of its arrays."""
    files: Any = None
    """Digests of files, which earlier versions wrote. Not read."""

    @model_validator(mode="after")
    def _every_item_has_a_digest(self) -> "Manifest":
        if not self.leaves or self.leaves.keys() != self.sha256.keys():
            raise ValueError("items and digests do not match")
        return self


class _Stored(BaseModel, extra="forbid", strict=True):
    """A manifest and its own digest, as the file holds them."""

    sha256: str
    content: dict[str, Any]


def with_ends(config: Config, other: Config) -> Config:
    """Return a recipe that ends when the other one does."""
    return replace(config, **{name: getattr(other, name) for name in ENDS})


def owner_of(config: Config, *, data_sha256: str | None = None) -> Owner:
    """Return the owner that a run's checkpoints name. data_sha256: Dataset.digest, where known."""
    recipe = json.loads(config.to_json())
    for name in (*ENDS, "dataset"):
        del recipe[name]

    return Owner(recipe=recipe, data_sha256=data_sha256)


def write_manifest(
    folder: Path, items: dict[str, Any], *, epoch: int, best_epoch: int, owner: Owner
) -> None:
    """Write the manifest of the items that have been saved in folder/ITEM."""
    manifest = Manifest(
        epoch=epoch,
        best_epoch=best_epoch,
        owner=owner,
        leaves={name: describe_leaves(item) for name, item in items.items()},
        sha256={name: tree_digest(item) for name, item in items.items()},
    )
    content = manifest.model_dump(exclude={"files"})
    stored = {"sha256": json_digest(content), "content": content}

    (folder / NAME).write_text(json.dumps(stored, indent=2))


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a checkpoint folder, which has its epoch as its name.

    Raises DamagedError.
    """
    path = folder / NAME
    try:
        manifest = _parse(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError) as error:
        raise DamagedError(f"The checkpoint file {path} is missing or damaged") from error

    if manifest.epoch is not None and folder.name != str(manifest.epoch):
        raise DamagedError(f"The checkpoint {folder} is of epoch {manifest.epoch}, by its manifest")

    return manifest


def _parse(raw: bytes) -> Manifest:
    """Return the manifest in a file's bytes. Raises ValueError; RecursionError for deep nesting."""
    stored = _Stored.model_validate(json.loads(raw))

    if json_digest(stored.content) != stored.sha256:
        raise ValueError("the content does not match its digest")

    return Manifest.model_validate(stored.content)


def check_owner(folder: Path, manifest: Manifest, owner: Owner) -> None:
    """Raise InputError if another recipe's run, or one on other data, saved the checkpoint."""
    stored = manifest.owner

    for name in sorted(stored.recipe.keys() & owner.recipe.keys()):
        found, wanted = stored.recipe[name], owner.recipe[name]
        if found != wanted:
            raise InputError(
                f"The checkpoint {folder} belongs to another run ({name}: {found}, not {wanted}): "
                "remove it, or name its own run"
            )

    known = None not in (stored.data_sha256, owner.data_sha256)
    if known and stored.data_sha256 != owner.data_sha256:
        raise InputError(
            f"The checkpoint {folder} was trained on other data "
            f"(SHA-256 {stored.data_sha256:.12}, not {owner.data_sha256:.12}): "
            "give those, or another run_dir"
        )


def check_fit(folder: Path, manifest: Manifest, like: dict[str, Any]) -> None:
    """Raise InputError unless the saved items have the names, dtypes and shapes of `like`."""
    for name, item in like.items():
        if name not in manifest.leaves:
            raise InputError(
                f"The checkpoint {folder} has no {name} state: "
                "it was released to be evaluated, and can't be resumed"
            )

        stored = manifest.leaves[name]
        wanted = describe_leaves(item)
        for leaf in sorted(stored.keys() | wanted.keys()):
            there = stored.get(leaf, "nothing")
            here = wanted.get(leaf, "nothing")
            if there != here:
                raise InputError(
                    f"The checkpoint {folder} does not fit: {leaf} is {there} there, and here it "
                    f"would be {here}. Another version of jaxae or another recipe wrote it: use "
                    "that one, or train in another run_dir"
                )


def check_items(folder: Path, manifest: Manifest, items: dict[str, Any]) -> None:
    """Raise DamagedError unless the loaded arrays are those that were saved."""
    for name, item in items.items():
        if tree_digest(item) != manifest.sha256[name]:
            raise DamagedError(
                f"The checkpoint {folder} is damaged: "
                f"the SHA-256 of its {name} is not the one that was saved"
            )


def tree_digest(tree: Any) -> str:
    """Return the digest of a pytree's leaves by their paths; typed keys count by their data."""
    leaves = named_leaves(keys_to_data(tree))
    return digest({name: np.asarray(leaf) for name, leaf in leaves.items()})


def describe_leaves(tree: Any) -> dict[str, str]:
    """Return path → dtype and shape, such as "float32[784, 512]", of each array or shape."""
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in named_leaves(tree).items()}


def named_leaves(tree: Any) -> dict[str, Any]:
    """Return path → leaf of a pytree. A path is such as params/encoder/dense_0/kernel."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
