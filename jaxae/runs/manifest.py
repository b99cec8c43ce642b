"""What a checkpoint directory says of itself: its best epoch, and digests of its leaves and of its files.

Orbax casts a wrong dtype in silence and loads an array with a flipped bit; this file is why jaxae does not.
"""

import json
from pathlib import Path
from typing import Any

from jaxae.digests import describe_leaves, file_digest, json_digest, tree_digest
from jaxae.errors import DamagedError, InputError

NAME = "manifest.json"


def write_manifest(folder: Path, items: dict[str, Any], *, best_epoch: int) -> None:
    """Describes the items that have been saved in folder/ITEM, and every file in it."""
    content = {
        "best_epoch": best_epoch,
        "leaves": {name: describe_leaves(item) for name, item in items.items()},
        "sha256": {name: tree_digest(item) for name, item in items.items()},
        "files": {str(file.relative_to(folder)): file_digest(file) for file in folder.rglob("*") if file.is_file()},
    }
    (folder / NAME).write_text(json.dumps({"sha256": json_digest(content), "content": content}, indent=2))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What write_manifest wrote. Raises DamagedError."""
    try:
        manifest = json.loads((folder / NAME).read_bytes())
        if json_digest(manifest["content"]) == manifest["sha256"]:
            return manifest["content"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DamagedError(f"The checkpoint file {folder / NAME} is missing or damaged")


def check_fit(folder: Path, manifest: dict[str, Any], like: dict[str, Any]) -> None:
    """Raises InputError where the items saved are not those of `like`, leaf by leaf."""
    for name, item in like.items():
        if name not in manifest["leaves"]:
            raise InputError(f"The checkpoint {folder} has no {name} state: it was released to evaluate, and can't be resumed")
        stored, wanted = manifest["leaves"][name], describe_leaves(item)
        for leaf in sorted(stored.keys() | wanted.keys()):
            have, want = stored.get(leaf, "nothing"), wanted.get(leaf, "nothing")
            if have != want:
                raise InputError(
                    f"The checkpoint {folder} does not fit: {leaf} is {have} there, and here it would be {want}. "
                    "Another version of jaxae wrote it, or another recipe: use that one, or train again with --overwrite"
                )


def check_files(folder: Path, manifest: dict[str, Any], like: dict[str, Any]) -> None:
    """Raises DamagedError where a file is not what was saved; items that are not in `like` are passed over."""
    unwanted = manifest["leaves"].keys() - like.keys()
    for name, sha256 in manifest["files"].items():
        path = folder / name
        if Path(name).parts[0] not in unwanted and not (path.is_file() and file_digest(path) == sha256):
            raise DamagedError(f"The checkpoint file {path} is missing or damaged")


def check_items(folder: Path, manifest: dict[str, Any], items: dict[str, Any]) -> None:
    """Raises DamagedError where the arrays that were loaded are not those that were saved."""
    for name, item in items.items():
        if tree_digest(item) != manifest["sha256"][name]:
            raise DamagedError(f"The checkpoint {folder} is damaged: the SHA-256 of its {name} is not the one that was saved")
