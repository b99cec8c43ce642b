"""Read image sets that TensorFlow Datasets has prepared, or can prepare here."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.data.official_files import OFFICIAL
from jaxae.errors import DataUnavailableError, InputError, brief

# TFDS is imported where it is needed, as that takes half a second.

PARTS = ("train", "validation", "test")
"""The splits of TFDS that are read."""


def read_prepared(name: str, data_dir: Path) -> Arrays:
    """Return {train,validation,test}_images and _labels, and class_names, of a set of TFDS.

    The set needs one feature that is an image, of one size, and may have a class label. A set that
    is not prepared yet TFDS prepares, which for most sets needs TensorFlow and the network. Raises
    InputError.
    """
    import tensorflow_datasets as tfds

    _check_name(name, data_dir)
    try:
        builder = tfds.builder(
            name, data_dir=data_dir, file_format=tfds.core.FileFormat.ARRAY_RECORD
        )
    except Exception as error:  # TFDS raises many types
        raise InputError(
            f"TFDS can't load {name} ({brief(error)}): name another dataset"
        ) from error

    features = builder.info.features
    image = _image_feature(name, features)
    label = next(
        (key for key, kind in features.items() if isinstance(kind, tfds.features.ClassLabel)), None
    )
    try:
        builder.download_and_prepare()
        sources = {
            part: builder.as_data_source(part) for part in PARTS if part in builder.info.splits
        }
        return _read_sources(sources, image, label, features)
    except ImportError as error:
        raise DataUnavailableError(
            f"TFDS can't prepare or read {name} here ({brief(error)}): install what it names"
        ) from error
    except ValueError as error:  # np.stack's
        raise InputError(
            f"{name} can't be read ({brief(error)}): jaxae takes images of one size"
        ) from error
    except Exception as error:  # what downloaders, file systems and TensorFlow raise
        raise DataUnavailableError(f"TFDS can't prepare {name} here: {brief(error)}") from error


def _check_name(name: str, data_dir: Path) -> None:
    """Raise InputError at once for a name that TFDS does not have: it would ask its server."""
    import tensorflow_datasets as tfds

    first = name.partition("/")[0].partition(":")[0]
    known = tfds.list_builders(with_community_datasets=False)
    if first in known or (data_dir / first).is_dir():
        return

    near = difflib.get_close_matches(first, [*OFFICIAL, *known], n=3)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else "name a file, a folder or a set of TFDS"
    )
    raise InputError(
        f"{name} is neither a file or folder here nor a data set that TFDS knows: {hint}"
    )


def _image_feature(name: str, features: Mapping[str, Any]) -> str:
    """Return the name of the only feature that is an image. Raises InputError."""
    import tensorflow_datasets as tfds

    found = [key for key, kind in features.items() if isinstance(kind, tfds.features.Image)]
    if len(found) != 1:
        raise InputError(
            f"{name} has {len(found)} features that are images: jaxae takes sets with one"
        )
    return found[0]


def _read_sources(
    sources: Mapping[str, Any], image: str, label: str | None, features: Mapping[str, Any]
) -> Arrays:
    """Return the arrays of splits that are rows of features."""
    arrays: Arrays = {}
    if label is not None:
        arrays["class_names"] = np.array(features[label].names)

    for part, source in sources.items():
        prefix = f"{part}_" if len(sources) > 1 else ""
        rows = (source[number] for number in range(len(source)))
        pairs = [(row[image], row[label] if label else 0) for row in rows]
        arrays[f"{prefix}images"] = np.stack([picture for picture, _ in pairs])
        if label is not None:
            arrays[f"{prefix}labels"] = np.array([value for _, value in pairs])
    return arrays
