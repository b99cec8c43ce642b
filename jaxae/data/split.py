"""Make a Dataset of arrays: number its classes, and split by their bytes images without splits."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from jaxae.core.images import check_axes
from jaxae.data.dataset import Dataset, Split
from jaxae.data.large import in_blocks
from jaxae.digests import digest
from jaxae.errors import InputError

PARTS = ("train", "validation", "test")
ALLOWED = ({""}, {"train", "test"}, {*PARTS})
"""The splits that arrays may have; "" is that of `images`."""
Shares = tuple[float, float, float]
"""Shares of training, validation and test images, with the sum 1."""


def split(
    arrays: Mapping[str, np.ndarray],
    *,
    name: str,
    title: str | None = None,
    class_names: Sequence[str] = (),
    source: str = "memory",
    shares: Shares | None = None,
) -> Dataset:
    """Return the data set of {train,validation,test}_images, or of images. Raises InputError.

    Images are u8[N, H, W] or u8[N, H, W, C]. Labels are integers or texts [N], for all or none.
    Images without splits, or without validation images, are split by shares. Without shares the
    last twelfth of the training images is for validation: 55,000 + 5,000 of 60,000.
    """
    parts = _parts(arrays, name)
    if "" in parts and shares is None:
        raise InputError(f"{name} has no splits: give the shares of the three")

    parts, names = _numbered(parts, class_names, name)
    # A picture that is renamed is the same data.
    sha256 = digest({each: array for each, array in arrays.items() if not each.endswith("files")})
    if "validation" not in parts and shares is None:
        parts = _cut(parts)
    elif "validation" not in parts and shares is not None:
        sha256 = digest({"sha256": np.array(sha256), "shares": np.array(shares)})
        parts = _split_by_bytes(parts, shares, name)

    empty = [part for part in PARTS if not len(parts[part].images)]
    if empty:
        sizes = ", ".join(f"{len(parts[part].images)} {part}" for part in PARTS)
        raise InputError(
            f"{name} has too few images ({sizes}): there are none for {empty[0]}; "
            "give more, or another split"
        )
    train, validation, test = (parts[part] for part in PARTS)
    return Dataset(name, title or name, sha256, train, validation, test, names, source)


def _parts(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, Split]:
    """Return the splits of the arrays, by PARTS or ""."""
    parts = {}
    for part in ("", *PARTS):
        prefix = f"{part}_" if part else ""
        if f"{prefix}images" in arrays:
            parts[part] = _part(arrays, prefix)

    if parts.keys() not in ALLOWED:
        raise InputError(
            f"{name} has {', '.join(sorted(arrays))}: give images, or train_images and test_images"
        )
    if len({part.images.shape[1:] for part in parts.values()}) > 1:
        shapes = [f"{each}: {list(part.images.shape)}" for each, part in parts.items()]
        raise InputError(
            f"{name} has images of several shapes ({', '.join(shapes)}): give images of one shape"
        )
    return parts


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> Split:
    images = arrays[f"{prefix}images"]
    labels = arrays.get(f"{prefix}labels")

    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise InputError(
            f"{prefix}images are {images.dtype}{list(images.shape)}: "
            "give uint8 [N, height, width] or [N, height, width, channels]"
        )
    check_axes(images.shape, what=f"{prefix}images")
    if labels is not None and labels.shape != (len(images),):
        raise InputError(
            f"there are {len(images)} {prefix}images, and {prefix}labels are "
            f"{list(labels.shape)}: give one for each"
        )
    files = arrays.get(f"{prefix}files")
    return Split(images if images.ndim == 4 else images[..., None], labels, files)


def _numbered(
    parts: dict[str, Split], names: Sequence[str], owner: str
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the parts with labels from 0 on, and the classes' names.

    One class says nothing: then there are no labels.
    """
    given = [part.labels for part in parts.values() if part.labels is not None]
    if not given:
        return parts, ()
    _check_labels(given, len(parts), owner)

    values = np.unique(np.concatenate(given))
    if not names:
        values = _in_order(values)
        names = [str(value) for value in values]
        parts = {each: _renumbered(part, values) for each, part in parts.items()}
    elif values.dtype.kind == "U" or values[0] < 0 or values[-1] >= len(names):
        raise InputError(
            f"{owner} has labels from {values[0]} to {values[-1]}: "
            f"there are {len(names)} class names, for 0 on"
        )

    if len(names) < 2:
        return {each: part._replace(labels=None) for each, part in parts.items()}, ()

    name, classes = Counter(names).most_common(1)[0]
    if classes > 1:
        raise InputError(f"{owner} has {classes} classes with the name {name}: give each its own")
    return parts, tuple(names)


def _check_labels(given: list[np.ndarray], parts: int, owner: str) -> None:
    if len(given) < parts:
        raise InputError(
            f"{owner} has labels for some of its splits only: "
            "give a label for each image, or none at all"
        )
    if not all(labels.dtype.kind in "iuU" for labels in given):
        raise InputError(
            f"{owner} has labels of the type {given[0].dtype}: give whole numbers or texts"
        )


def _in_order(values: np.ndarray) -> np.ndarray:
    """Return labels in ascending order. Texts that are all whole numbers sort as such."""
    texts = values.tolist()
    if values.dtype.kind != "U" or not all(text.isdecimal() for text in texts):
        return values
    return np.array(sorted(texts, key=lambda text: (int(text), text)))


def _renumbered(part: Split, values: np.ndarray) -> Split:
    """Return the part with each label's number among the values."""
    assert part.labels is not None
    ascending = np.argsort(values, kind="stable")
    places = np.searchsorted(values[ascending], part.labels)
    return part._replace(labels=ascending[places])


def _cut(parts: dict[str, Split]) -> dict[str, Split]:
    """Take the last twelfth of the training images for validation."""
    train = parts["train"]
    cut = len(train.images) * 11 // 12
    first, last = train.take(slice(cut)), train.take(slice(cut, None))
    return {**parts, "train": first, "validation": last}


def _split_by_bytes(parts: dict[str, Split], shares: Shares, name: str) -> dict[str, Split]:
    """Split the images without splits, or the training images if there are test images.

    The bytes of an image say where it goes: another image moves none, and equal images stay
    together.
    """
    training, validation, _ = shares
    whole = parts.get("", parts.get("train"))
    assert whole is not None
    images = whole.images
    positions = _positions(images)
    if len(images) > 1 and (positions == positions[0]).all():
        raise InputError(
            f"{name} has {len(images)} images, and all are the same: there is nothing to learn"
        )

    if "" in parts:
        bounds = [training, training + validation]
    else:
        bounds = [training / (training + validation)]
    which = np.searchsorted(bounds, positions, side="right")

    made = {part: whole.take(which == k) for k, part in enumerate(PARTS[: len(bounds) + 1])}
    return made if "" in parts else {**parts, **made}


def _positions(images: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each image, from the SHA-256 of its bytes, f64[N].

    A grey image has the same as RGB.
    """
    digests = (
        hashlib.sha256(_one_channel(image).tobytes()).digest()
        for block in in_blocks(images)
        for image in block
    )
    positions = (int.from_bytes(each[:6]) / 2**48 for each in digests)
    return np.fromiter(positions, float, len(images))


def _one_channel(image: np.ndarray) -> np.ndarray:
    first = image[..., :1]
    return first if (image == first).all() else image
