"""Other image sets that TensorFlow Datasets has prepared on this machine → uint8 arrays, through tfds.data_source."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxae.data.dataset import Arrays
from jaxae.errors import DataUnavailableError, InputError, brief

PARTS = {"train": "train", "validation": "validation", "test": "test"}


def read_prepared(name: str, data_dir: Path) -> Arrays:
    """{train,validation,test}_images and _labels, and class_names, of the splits that the set has. Raises InputError.

    The set needs an image of one size and may have a class label. What is not prepared yet TFDS prepares, which for most sets
    needs TensorFlow and the network.
    """
    import tensorflow_datasets as tfds  # here, not above: half a second

    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format=tfds.core.FileFormat.ARRAY_RECORD)
    except Exception as error:  # TFDS's own, and what it lets through
        raise InputError(
            f"{name} is neither a file or folder here nor a data set that TFDS knows ({brief(error)}): see --help for --dataset"
        ) from error
    features = builder.info.features
    image = _only(name, features, tfds.features.Image, "image")
    label = next((key for key, kind in features.items() if isinstance(kind, tfds.features.ClassLabel)), None)
    try:
        builder.download_and_prepare()
        sources = {part: builder.as_data_source(part) for part in PARTS if part in builder.info.splits}
        arrays: dict[str, Any] = {} if label is None else {"class_names": np.array(features[label].names)}
        for part, source in sources.items():
            rows = [(row[image], row[label] if label else 0) for row in (source[i] for i in range(len(source)))]
            prefix = f"{part}_" if len(sources) > 1 else ""
            arrays[f"{prefix}images"] = np.stack([picture for picture, _ in rows])
            if label:
                arrays[f"{prefix}labels"] = np.array([value for _, value in rows])
    except ImportError as error:
        raise DataUnavailableError(f"TFDS can't prepare or read {name} here ({brief(error)}): install what it names") from error
    except ValueError as error:  # of np.stack
        raise InputError(f"{name} can't be read ({brief(error)}): jaxae wants images of one size") from error
    except Exception as error:  # TFDS raises what its downloaders, file systems and TensorFlow raise
        raise DataUnavailableError(f"TFDS can't prepare {name} here: {brief(error)}") from error
    return arrays


def _only(name: str, features: Any, kind: type, what: str) -> str:
    found = [key for key, feature in features.items() if isinstance(feature, kind)]
    if len(found) != 1:
        raise InputError(f"{name} has {len(found)} features that are {what}s: jaxae takes sets with one")
    return found[0]
