"""The four official files of Fashion-MNIST: found or downloaded, verified by TFDS, read here. TensorFlow is not needed."""

import contextlib
import gzip
import http.client
import shutil
import tempfile
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.errors import DataUnavailableError, InputError, Report, brief

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


def fetch(data_dir: Path, manual_dir: Path | None, report: Report) -> dict[str, np.ndarray]:
    """The official arrays, checksums verified: {train,test}_images u8[N, 28, 28], {train,test}_labels u8[N].

    From manual_dir, from what TFDS has downloaded into data_dir before, or from the network. Raises DataUnavailableError where
    none of them has it, InputError for files that are damaged or of another data set.
    """
    import tensorflow_datasets as tfds  # here, not above: half a second that a filled cache need not pay

    builder = tfds.builder_cls("fashion_mnist")
    downloads = data_dir / "downloads"
    if manual_dir is not None and all((manual_dir / name).is_file() for name in FILES.values()):
        report(f"Reading Fashion-MNIST from {manual_dir}")
        return _verified(manual_dir, builder.url_infos, downloads)
    if _downloaded(downloads, builder.url_infos):
        report(f"Reading Fashion-MNIST from {downloads}, where TFDS has downloaded it")
        return _verified(None, builder.url_infos, downloads)
    prepared = data_dir / "fashion_mnist" / str(builder.VERSION)
    where = f"{manual_dir} holds none or not all of its files" if manual_dir else "no folder with its files is named"
    if prepared.is_dir():
        where += f", {prepared} holds it in TFDS's own form without the downloaded files, which jaxae does not read"
    urls = {info.filename: url for url, info in builder.url_infos.items()}
    report(f"Looking for Fashion-MNIST's server, for {SECONDS:.0f} s at the most")
    if not _reachable(urls[FILES["test_labels"]]):
        raise DataUnavailableError(f"Fashion-MNIST can't be had: {where}, and its server is out of reach. {THREE_WAYS}.")
    report("Downloading Fashion-MNIST (30 MB)")
    with tempfile.TemporaryDirectory() as arrived:
        for name in FILES.values():
            _download(urls[name], Path(arrived) / name)
        return _verified(Path(arrived), builder.url_infos, downloads)


def _verified(folder: Path | None, url_infos: Mapping[str, Any], downloads: Path) -> dict[str, np.ndarray]:
    """The arrays of the files in a folder, or in TFDS's downloads, whose SHA-256 are what TFDS knows. Raises InputError."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        url_infos=dict(url_infos), download_dir=downloads, manual_dir=folder, dataset_name="fashion_mnist"
    )
    urls = {info.filename: url for url, info in url_infos.items()}
    try:
        paths = manager.download({name: urls[file] for name, file in FILES.items()})
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        if folder:
            for name in FILES.values():
                _read_idx(folder / name)  # raises where it is damaged
        raise InputError(
            f"{folder} holds other files under Fashion-MNIST's names, which MNIST's have too ({brief(error)}): "
            "name the folder with Fashion-MNIST's own"
        ) from error
    return {name: _read_idx(Path(path)) for name, path in paths.items()}


def _downloaded(downloads: Path, url_infos: Mapping[str, Any]) -> bool:
    """Whether TFDS has all four files in its folder of downloads; before 4.9 it had no folder for each data set."""
    from tensorflow_datasets.core.download import resource

    names = [resource.get_dl_fname(url, info.checksum) for url, info in url_infos.items()]
    folders: list[Any] = [downloads / "fashion_mnist", downloads]
    return any(all(resource.is_locally_cached(folder / name) for name in names) for folder in folders)


def _download(url: str, path: Path) -> None:
    """Downloads a file. Raises DataUnavailableError where the server stalls, which TFDS's downloader would wait for."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise DataUnavailableError(f"{url} can't be downloaded ({brief(error)}). {THREE_WAYS}.") from error


def _reachable(url: str, *, seconds: float = SECONDS) -> bool:
    """Whether a small file arrives in time. In a thread of its own, since looking up a host's name can hang for ever."""
    arrived = threading.Event()

    def fetch() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException), urllib.request.urlopen(url, timeout=seconds) as response:
            response.read()
            arrived.set()

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(seconds)
    return arrived.is_set()


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: two zeros, 8 (unsigned byte), the rank, the shape as big-endian u32, the data (LeCun).

    Raises InputError where it is none.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
        rank = raw[3]
        shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, IndexError) as error:
        raise InputError(f"Fashion-MNIST is damaged: {path} ({error}). Delete that file and get it again") from error
