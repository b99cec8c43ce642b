"""Arrays → a Dataset: labels become numbers, and images that have no splits of their own are split by their bytes."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from jaxae.data.dataset import Dataset, Split
from jaxae.digests import digest
from jaxae.errors import InputError

PARTS = ("train", "validation", "test")
Shares = tuple[float, float, float]
"""Of training, validation and test images; their sum is 1."""


def split(
    arrays: Mapping[str, np.ndarray],
    *,
    name: str,
    title: str | None = None,
    class_names: Sequence[str] = (),
    source: str = "memory",
    shares: Shares | None = None,
) -> Dataset:
    """The data set of {train,validation,test}_images, or of images, u8[N, H, W] or u8[N, H, W, C]. Raises InputError.

    {train,validation,test}_labels, or labels: integers or texts [N], all or none. What has no splits, or no validation images,
    is split by shares; without shares the last twelfth of the training images is for validation: 55,000 + 5,000 of 60,000.
    """
    parts = {
        part: _part(arrays, prefix)
        for part in ("", *PARTS)
        if (prefix := f"{part}_" if part else "") + "images" in arrays
    }
    if parts.keys() not in ({""}, {"train", "test"}, {*PARTS}):
        raise InputError(
            f"{name} has {', '.join(sorted(arrays))}: give images, or train_images and test_images"
        )
    if "" in parts and shares is None:
        raise InputError(
            f"{name} has no splits: give the shares of training, validation and test images"
        )
    if len({part.images.shape[1:] for part in parts.values()}) > 1:
        shapes = ", ".join(f"{part}: {list(images.shape)}" for part, (images, _) in parts.items())
        raise InputError(
            f"{name} has images of several shapes ({shapes}): give images of one shape"
        )
    parts, names = _numbered(parts, class_names, name)
    sha256 = digest(arrays)
    if "validation" not in parts:
        if shares is not None:
            sha256 = digest({"sha256": np.array(sha256), "shares": np.array(shares)})
        parts = _split_by_bytes(parts, shares, name) if shares else _cut(parts)
    if empty := [part for part in PARTS if not len(parts[part].images)]:
        sizes = ", ".join(f"{len(parts[part].images)} {part}" for part in PARTS)
        raise InputError(
            f"{name} has too few images ({sizes}): there are none for {empty[0]}; give more, or another --split"
        )
    return Dataset(name, title or name, sha256, **parts, class_names=names, source=source)


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> Split:
    images, labels = arrays[f"{prefix}images"], arrays.get(f"{prefix}labels")
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape[1:]:
        found = f"{images.dtype}{list(images.shape)}"
        raise InputError(
            f"{prefix}images are {found}: give uint8 [N, height, width] or [N, height, width, channels]"
        )
    if labels is not None and labels.shape != (len(images),):
        raise InputError(
            f"there are {len(images)} {prefix}images, and {prefix}labels are {list(labels.shape)}: give one for each"
        )
    return Split(images if images.ndim == 4 else images[..., None], labels)


def _numbered(
    parts: dict[str, Split], names: Sequence[str], owner: str
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """The parts with labels from 0 on, and the classes' names; without labels where no image, or every one, has the same."""
    given = [part.labels for part in parts.values() if part.labels is not None]
    if not given:
        return parts, ()
    if len(given) < len(parts):
        raise InputError(
            f"{owner} has labels for some of its splits only: give a label for each image, or none at all"
        )
    if not all(labels.dtype.kind in "iuU" for labels in given):
        raise InputError(
            f"{owner} has labels of the type {given[0].dtype}: give whole numbers or texts"
        )
    values = np.unique(np.concatenate(given))
    if names and (values.dtype.kind == "U" or values[0] < 0 or values[-1] >= len(names)):
        raise InputError(
            f"{owner} has labels from {values[0]} to {values[-1]}: there are {len(names)} class names, for 0 on"
        )
    if not names:
        names = [str(value) for value in values]
        parts = {
            each: Split(images, np.searchsorted(values, labels))
            for (each, (images, _)), labels in zip(parts.items(), given, strict=True)
        }
    if len(names) < 2:  # they tell nothing
        return {each: Split(part.images) for each, part in parts.items()}, ()
    return parts, tuple(names)


def _cut(parts: dict[str, Split]) -> dict[str, Split]:
    images, labels = parts["train"]
    cut = len(images) * 11 // 12
    first, rest = (
        Split(images[:cut], labels if labels is None else labels[:cut]),
        Split(images[cut:]),
    )
    return {
        "train": first,
        "validation": rest if labels is None else rest._replace(labels=labels[cut:]),
        "test": parts["test"],
    }


def _split_by_bytes(parts: dict[str, Split], shares: Shares, name: str) -> dict[str, Split]:
    """Each image's place follows from its bytes: another image moves it nowhere, and equal images stay together."""
    images, labels = parts.get("") or parts["train"]
    if len(images) > 1 and (images == images[0]).all():
        raise InputError(
            f"{name} has {len(images)} images, and all are the same: there is nothing to learn"
        )
    bounds = (
        [shares[0], shares[0] + shares[1]] if "" in parts else [shares[0] / (shares[0] + shares[1])]
    )
    which = np.searchsorted(bounds, _positions(images), side="right")
    made = {
        part: Split(images[which == k], None if labels is None else labels[which == k])
        for k, part in enumerate(PARTS[: len(bounds) + 1])
    }
    return {**parts, **made} if "" not in parts else made


def _positions(images: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each image, from the SHA-256 of its bytes; a grey image has the same as RGB. f64[N]."""
    return np.array(
        [
            int.from_bytes(hashlib.sha256(_one_channel(image).tobytes()).digest()[:6]) / 2**48
            for image in images
        ]
    )


def _one_channel(image: np.ndarray) -> np.ndarray:
    first = image[..., :1]
    return first if image.shape[-1] == 1 or (image == first).all() else image
