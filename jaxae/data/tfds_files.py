"""The four official files of Fashion-MNIST, MNIST or KMNIST: found or downloaded, verified as TFDS says, read here.

TensorFlow is not needed.
"""

import contextlib
import http.client
import shutil
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.data.array_files import read_idx
from jaxae.data.dataset import Arrays
from jaxae.data.synthetic import CLASS_NAMES
from jaxae.digests import file_digest
from jaxae.errors import DataUnavailableError, InputError, Report, brief


class Official(NamedTuple):
    """What a person calls a data set and its classes, and the size of its files in megabytes."""

    title: str
    class_names: tuple[str, ...]
    megabytes: int


OFFICIAL = {
    "fashion_mnist": Official("Fashion-MNIST", CLASS_NAMES, 30),
    "mnist": Official("MNIST", tuple("0123456789"), 12),
    "kmnist": Official("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), 21),
}

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
THREE_WAYS = (
    "Three ways to get it: name a folder with the four official .gz files by --manual-dir or JAXAE_MANUAL_DIR; "
    "name a --data-dir in which jaxae has cached it; or connect to the network once, and jaxae downloads it"
)
SECONDS = 20.0
"""How long a server may say nothing."""


def fetch(name: str, data_dir: Path, manual_dir: Path | None, report: Report) -> Arrays:
    """The official arrays of a data set in OFFICIAL, checksums verified: {train,test}_images u8[N, 28, 28] and _labels u8[N].

    From manual_dir/NAME or manual_dir, from what TFDS has downloaded into data_dir before, or from the network. Raises
    DataUnavailableError where none of them has it, InputError for files that are damaged or of another data set.
    """
    import tensorflow_datasets as tfds  # here, not above: half a second that a filled cache need not pay

    builder, title, downloads = tfds.builder_cls(name), OFFICIAL[name].title, data_dir / "downloads"
    for folder in (manual_dir / name, manual_dir) if manual_dir else ():
        if all((folder / file).is_file() for file in FILES.values()):
            report(f"Reading {title} from {folder}")
            return _verified(name, folder, builder.url_infos, downloads)
    if _downloaded(downloads, name, builder.url_infos):
        report(f"Reading {title} from {downloads}, where TFDS has downloaded it")
        return _verified(name, None, builder.url_infos, downloads)
    prepared = data_dir / name / str(builder.VERSION)
    where = (
        f"{manual_dir} holds none or not all of its files"
        if manual_dir
        else "no folder with its files is named"
    )
    if prepared.is_dir():
        where += f", {prepared} holds it in TFDS's own form without the downloaded files, which jaxae does not read"
    urls = {info.filename: url for url, info in builder.url_infos.items()}
    report(f"Looking for {title}'s server, for {SECONDS:.0f} s at the most")
    if not _reachable(urls[FILES["test_labels"]]):
        raise DataUnavailableError(
            f"{title} can't be had: {where}, and its server is out of reach. {THREE_WAYS}."
        )
    report(f"Downloading {title} ({OFFICIAL[name].megabytes} MB)")
    with tempfile.TemporaryDirectory() as arrived:
        for file in FILES.values():
            _download(urls[file], Path(arrived) / file)
        return _verified(name, Path(arrived), builder.url_infos, downloads)


def _verified(
    name: str, folder: Path | None, url_infos: Mapping[str, Any], downloads: Path
) -> Arrays:
    """The arrays of the files in a folder, or in TFDS's downloads, whose SHA-256 are what TFDS knows. Raises InputError."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        url_infos=dict(url_infos), download_dir=downloads, manual_dir=folder, dataset_name=name
    )
    urls = {info.filename: url for url, info in url_infos.items()}
    try:
        paths = manager.download({part: urls[file] for part, file in FILES.items()})
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        if folder:
            for file in FILES.values():
                read_idx(folder / file)  # raises where it is damaged
        raise InputError(
            f"{folder} holds another data set's files, not {OFFICIAL[name].title}'s ({brief(error)}): "
            f"name the folder with {OFFICIAL[name].title}'s own"
        ) from error
    for part, path in paths.items():  # TFDS trusts what it has downloaded once
        if file_digest(Path(path)) != url_infos[urls[FILES[part]]].checksum:
            raise InputError(f"{path} is damaged: delete that file and get it again")
    return {part: read_idx(Path(path)) for part, path in paths.items()}


def _downloaded(downloads: Path, name: str, url_infos: Mapping[str, Any]) -> bool:
    """Whether TFDS has all four files in its folder of downloads; before 4.9 it had no folder for each data set."""
    from tensorflow_datasets.core.download import resource

    files = [resource.get_dl_fname(url, info.checksum) for url, info in url_infos.items()]
    folders: list[Any] = [downloads / name, downloads]
    return any(
        all(resource.is_locally_cached(folder / file) for file in files) for folder in folders
    )


def _download(url: str, path: Path) -> None:
    """Downloads a file. Raises DataUnavailableError where the server stalls, which TFDS's downloader would wait for."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
    except (
        urllib.error.URLError,
        ConnectionError,
        TimeoutError,
        http.client.HTTPException,
    ) as error:
        raise DataUnavailableError(
            f"{url} can't be downloaded ({brief(error)}). {THREE_WAYS}."
        ) from error


def _reachable(url: str, *, seconds: float = SECONDS) -> bool:
    """Whether a small file arrives in time. In a thread of its own, since looking up a host's name can hang for ever."""
    arrived = threading.Event()

    def fetch() -> None:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            urllib.request.urlopen(url, timeout=seconds) as response,
        ):
            response.read()
            arrived.set()

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(seconds)
    return arrived.is_set()


PARTS = {"train": "train", "validation": "validation", "test": "test"}


def read_prepared(name: str, data_dir: Path) -> Arrays:
    """{train,validation,test}_images and _labels, and class_names, of the splits that the set has. Raises InputError.

    The set needs an image of one size and may have a class label. What is not prepared yet TFDS prepares, which for most sets
    needs TensorFlow and the network.
    """
    import tensorflow_datasets as tfds  # here, not above: half a second

    try:
        builder = tfds.builder(
            name, data_dir=data_dir, file_format=tfds.core.FileFormat.ARRAY_RECORD
        )
    except Exception as error:  # TFDS's own, and what it lets through
        raise InputError(
            f"{name} is neither a file or folder here nor a data set that TFDS knows ({brief(error)}): see --help for --dataset"
        ) from error
    features = builder.info.features
    image = _only(name, features, tfds.features.Image, "image")
    label = next(
        (key for key, kind in features.items() if isinstance(kind, tfds.features.ClassLabel)), None
    )
    try:
        builder.download_and_prepare()
        sources = {
            part: builder.as_data_source(part) for part in PARTS if part in builder.info.splits
        }
        arrays: dict[str, Any] = (
            {} if label is None else {"class_names": np.array(features[label].names)}
        )
        for part, source in sources.items():
            rows = [
                (row[image], row[label] if label else 0)
                for row in (source[i] for i in range(len(source)))
            ]
            prefix = f"{part}_" if len(sources) > 1 else ""
            arrays[f"{prefix}images"] = np.stack([picture for picture, _ in rows])
            if label:
                arrays[f"{prefix}labels"] = np.array([value for _, value in rows])
    except ImportError as error:
        raise DataUnavailableError(
            f"TFDS can't prepare or read {name} here ({brief(error)}): install what it names"
        ) from error
    except ValueError as error:  # of np.stack
        raise InputError(
            f"{name} can't be read ({brief(error)}): jaxae wants images of one size"
        ) from error
    except (
        Exception
    ) as error:  # TFDS raises what its downloaders, file systems and TensorFlow raise
        raise DataUnavailableError(f"TFDS can't prepare {name} here: {brief(error)}") from error
    return arrays


def _only(name: str, features: Any, kind: type, what: str) -> str:
    found = [key for key, feature in features.items() if isinstance(feature, kind)]
    if len(found) != 1:
        raise InputError(
            f"{name} has {len(found)} features that are {what}s: jaxae takes sets with one"
        )
    return found[0]
