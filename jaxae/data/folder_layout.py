"""Find the pictures in a folder, with their classes and splits.

root/*.png has no classes, root/CLASS/*.png has. root/{train,validation,test}/… has its own splits,
under any of the names in SPLITS. Folders around all of these, as archives make them, do not count.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from jaxae.errors import InputError, Report, readable
from jaxae.pictures import read_labels

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""The names of folders of splits, in lower case."""

OF_SYSTEMS = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that systems and archives leave; hidden ones are passed over too."""

STUBS = {"BUFR", "EPS", "FPX", "GRIB", "HDF5", "MIC", "MPEG", "PDF", "WMF"}
"""Formats that Pillow knows by name, but reads only with another program, or not at all."""


class Picture(NamedTuple):
    """A file, and what its folders say about it."""

    path: Path
    part: str
    """train, validation or test; empty if the folder has no splits of its own."""
    label: str | None


def find_pictures(root: Path, report: Report, *, labels: Path | None = None) -> list[Picture]:
    """Return the pictures below a folder, by their paths. Links are followed.

    labels: a CSV file with the columns file and label, which counts instead of folders of classes.
    Raises InputError if there are no pictures, if a folder can't be read, or if it is not clear
    which folders are classes and which are splits.
    """
    paths = picture_files(root, report)
    pictures = _describe_all(root, paths, report)
    if labels is not None:
        return _with_labels(pictures, root, labels, report)

    _check_labels(root, pictures)
    return pictures


def picture_files(root: Path, report: Report) -> list[Path]:
    """Return the files of the pictures below a folder. Raises InputError if there are none."""
    files = list(_files(root))
    paths = [path for path in files if _is_picture(path)]
    if not paths:
        raise InputError(f"{root} holds no pictures: name another folder")

    others = sorted(set(files) - set(paths))
    if others:
        report(f"{len(others):,} other files are passed over, such as {others[0]}")
    return paths


def _with_labels(pictures: list[Picture], root: Path, table: Path, report: Report) -> list[Picture]:
    """Return the pictures with the labels that a CSV file gives them.

    A file is named from the root on, or by its name alone where only one picture has that. Raises
    InputError for a picture without a label.
    """
    told = read_labels(table)
    places = {picture.path: picture.path.relative_to(root).as_posix() for picture in pictures}
    counts = Counter(path.name for path in places)

    labelled = []
    used = set()
    for picture in pictures:
        name = picture.path.name
        key = places[picture.path]
        if key not in told and counts[name] == 1:
            key = name
        if key not in told:
            raise InputError(
                f"{table} has no label for {places[picture.path]}: add it, or move the picture away"
            )
        used.add(key)
        labelled.append(picture._replace(label=told[key]))

    others = sorted(told.keys() - used)
    if others:
        report(f"{len(others):,} files that {table} names are not in {root}, such as {others[0]}")
    return labelled


def _files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yield the files below a folder, by name. above: the real folders on the way here."""
    here = (*above, folder.resolve())
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{folder} can't be read ({error.strerror}): get permission, or move it away"
        ) from error

    for path in entries:
        if path.name.startswith(".") or path.name in OF_SYSTEMS:
            continue
        if not path.is_dir():
            yield path
        elif not _leads_back(path, here):
            yield from _files(path, here)


def _leads_back(path: Path, here: tuple[Path, ...]) -> bool:
    """Whether a folder is a link to one on the way here, or to one around it."""
    target = path.resolve()
    return any(place.is_relative_to(target) for place in here)


def _is_picture(path: Path) -> bool:
    """Whether Pillow reads files with such a name or, for another name, with such a beginning."""
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is not None:
        return kind in Image.OPEN and kind not in STUBS

    with_marks = [each for each, (_, accept) in Image.OPEN.items() if accept and each not in STUBS]
    try:
        with Image.open(path, formats=with_marks):
            return True
    except Exception:  # Pillow's decoders raise many types
        return False


def _describe_all(root: Path, paths: list[Path], report: Report) -> list[Picture]:
    folders = {path.relative_to(root).parts[0] for path in paths if path.parent != root}
    _report_empty(root, folders, report)

    if _is_wrapper(root, paths):
        inner = root / folders.pop()
        report(f"All pictures are in {inner}: its folders are taken for classes or splits")
        return _describe_all(inner, paths, report)

    has_splits = _has_splits(root, folders)
    pictures = [_describe(path, path.relative_to(root).parts[:-1], has_splits) for path in paths]
    if has_splits:
        _check_splits(root, pictures)
    return pictures


def _is_wrapper(root: Path, paths: list[Path]) -> bool:
    """Whether root holds one folder, no split, with folders of pictures: archives make such."""
    places = [path.relative_to(root).parts for path in paths]
    first = places[0][0]
    is_alone = all(place[0] == first and len(place) > 2 for place in places)
    return is_alone and first.lower() not in SPLITS


def _report_empty(root: Path, folders: set[str], report: Report) -> None:
    """Name the folders without pictures, which are no classes."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in folders and not path.name.startswith("."):
            reason = "it is a system's" if path.name in OF_SYSTEMS else "it holds no pictures"
            report(f"The folder {path} is passed over: {reason}")


def _has_splits(root: Path, folders: set[str]) -> bool:
    """Whether the folders with pictures are those of splits.

    Raises InputError if that is not clear.
    """
    splits = {name for name in folders if name.lower() in SPLITS}
    parts = [SPLITS[name.lower()] for name in splits]
    strangers = sorted(folders - splits)

    if len(splits) > 1 and strangers:
        raise InputError(
            f"{root} holds the splits {', '.join(sorted(splits))}, and {strangers[0]}: "
            "move that folder away, or rename it or the splits"
        )
    if not strangers and len(set(parts)) < len(parts):
        raise InputError(
            f"{root} holds {', '.join(sorted(splits))}: name one folder for each split"
        )
    return bool(splits) and not strangers


def _describe(path: Path, folders: tuple[str, ...], has_splits: bool) -> Picture:
    """Return the picture with its split and class. folders: those between the root and the file."""
    part = ""
    if has_splits and folders:
        part = SPLITS[folders[0].lower()]
        folders = folders[1:]

    return Picture(path, part, _class_name(folders[0]) if folders else None)


def _class_name(folder: str) -> str:
    """Return a folder's name, readable, with one character for a letter and its accents.

    Macs write two: the same name would be two classes.
    """
    return unicodedata.normalize("NFC", readable(folder))


def _check_labels(root: Path, pictures: list[Picture]) -> None:
    without = [picture.path for picture in pictures if picture.label is None]
    if without and len(without) < len(pictures):
        raise InputError(
            f"{root} holds pictures in folders of classes, and {without[0]} in none: "
            "give each a class, or none of them"
        )


def _check_splits(root: Path, pictures: list[Picture]) -> None:
    parts = {picture.part for picture in pictures}
    if not {"train", "test"} <= parts or "" in parts:
        found = ", ".join(sorted(part or "no split" for part in parts))
        raise InputError(f"{root} holds pictures for {found}: give train and test")
