"""Find or download the four official files of Fashion-MNIST, MNIST or KMNIST.

They are verified as TFDS does, and read here: TensorFlow is not needed.
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

from jaxae.data.array_files import read_idx
from jaxae.data.dataset import Arrays
from jaxae.data.synthetic import CLASS_NAMES
from jaxae.digests import file_digest
from jaxae.errors import DataUnavailableError, InputError, Report, brief

# TFDS is imported where it is needed: half a second that a filled cache does without.


class Official(NamedTuple):
    """The title of a data set, its classes, and the size of its files in megabytes."""

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
    "Three ways to get it: give manual_dir (or JAXAE_MANUAL_DIR) a folder with the four official "
    ".gz files; give data_dir a folder in which jaxae has cached it; or connect to the network "
    "once, and jaxae downloads it"
)

SECONDS = 20.0
"""How long a server may be silent."""


def fetch(name: str, data_dir: Path, manual_dir: Path | None, report: Report) -> Arrays:
    """Return {train,test}_images u8[N, 28, 28] and _labels u8[N] of a data set in OFFICIAL.

    The files are taken from manual_dir/NAME or manual_dir, from TFDS's downloads in data_dir, or
    from the network; their checksums are verified. Raises DataUnavailableError if none of these has
    them, InputError for files that are damaged or of another data set.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder_cls(name)
    title = OFFICIAL[name].title
    downloads = data_dir / "downloads"

    for folder in (manual_dir / name, manual_dir) if manual_dir else ():
        if all((folder / file).is_file() for file in FILES.values()):
            report(f"Reading {title} from {folder}")
            return _verified(name, folder, builder.url_infos, downloads)

    if _downloaded(downloads, name, builder.url_infos):
        report(f"Reading {title} from {downloads}, where TFDS has downloaded it")
        return _verified(name, None, builder.url_infos, downloads)

    urls = _urls(builder.url_infos)
    report(f"Looking for {title}'s server, for {SECONDS:.0f} s at the most")
    if not _reachable(urls[FILES["test_labels"]]):
        where = _missing(manual_dir, prepared=data_dir / name / str(builder.VERSION))
        raise DataUnavailableError(
            f"{title} can't be had: {where}, and its server is out of reach. {THREE_WAYS}."
        )

    report(f"Downloading {title} ({OFFICIAL[name].megabytes} MB)")
    with tempfile.TemporaryDirectory() as arrived:
        for file in FILES.values():
            _download(urls[file], Path(arrived) / file)
        return _verified(name, Path(arrived), builder.url_infos, downloads)


def _urls(url_infos: Mapping[str, Any]) -> dict[str, str]:
    """Return the address of each file."""
    return {info.filename: url for url, info in url_infos.items()}


def _missing(manual_dir: Path | None, *, prepared: Path) -> str:
    """Return where the files were not found."""
    where = "no folder with its files is named"
    if manual_dir:
        where = f"{manual_dir} holds none or not all of its files"
    if prepared.is_dir():
        where += f", {prepared} holds TFDS's prepared records, which jaxae does not read"
    return where


def _verified(
    name: str, folder: Path | None, url_infos: Mapping[str, Any], downloads: Path
) -> Arrays:
    """Return the arrays of the files in a folder, or in TFDS's downloads. Raises InputError.

    Their SHA-256 must be those that TFDS knows.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        url_infos=dict(url_infos), download_dir=downloads, manual_dir=folder, dataset_name=name
    )
    urls = _urls(url_infos)
    title = OFFICIAL[name].title
    try:
        paths = manager.download({part: urls[file] for part, file in FILES.items()})
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        if folder:
            for file in FILES.values():
                read_idx(folder / file)  # raises if it is damaged
        raise InputError(
            f"{folder} holds another data set's files, not {title}'s ({brief(error)}): "
            f"name the folder with {title}'s own"
        ) from error

    for part, path in paths.items():  # TFDS trusts what it has downloaded once
        if file_digest(Path(path)) != url_infos[urls[FILES[part]]].checksum:
            raise InputError(f"{path} is damaged: delete that file and get it again")
    return {part: read_idx(Path(path)) for part, path in paths.items()}


def _downloaded(downloads: Path, name: str, url_infos: Mapping[str, Any]) -> bool:
    """Whether TFDS has all four files in its downloads, which before 4.9 were in one folder."""
    from tensorflow_datasets.core.download import resource

    files = [resource.get_dl_fname(url, info.checksum) for url, info in url_infos.items()]
    folders: list[Any] = [downloads / name, downloads]
    return any(
        all(resource.is_locally_cached(folder / file) for file in files) for folder in folders
    )


def _download(url: str, path: Path) -> None:
    """Download a file. Raises DataUnavailableError if the server stalls, as TFDS would wait."""
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
    """Whether a small file arrives in time. A thread waits: looking up a name can hang for ever."""
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
