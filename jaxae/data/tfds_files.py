"""The four official files of Fashion-MNIST: found or fetched, and verified, by TFDS; read here. TensorFlow is not needed."""

import contextlib
import gzip
import http.client
import threading
import urllib.request
from pathlib import Path

import numpy as np

from jaxae.errors import DataUnavailableError, InputError, Report

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
THREE_WAYS = (
    "Three ways to get it: name a folder with the four official .gz files by --manual-dir or JAXAE_MANUAL_DIR; "
    "name a --data-dir in which jaxae has cached it; or connect to the network once, and TFDS downloads it"
)


def fetch(download_dir: Path, manual_dir: Path | None, report: Report) -> dict[str, np.ndarray]:
    """The official arrays, checksums verified: {train,test}_images u8[N, 28, 28], {train,test}_labels u8[N].

    Raises DataUnavailableError where they are neither in manual_dir nor within reach, InputError for a damaged file.
    """
    import tensorflow_datasets as tfds  # here, not above: half a second that a filled cache need not pay

    url_infos = tfds.builder_cls("fashion_mnist").url_infos
    urls = {info.filename: url for url, info in url_infos.items()}
    found = manual_dir is not None and all((manual_dir / name).is_file() for name in FILES.values())
    if not found:
        report("Looking for Fashion-MNIST's server, for 20 s at the most")
    if not found and not _reachable(urls[FILES["test_labels"]]):
        where = f"{manual_dir} holds none or not all of its files" if manual_dir else "no folder with its files is named"
        raise DataUnavailableError(f"Fashion-MNIST can't be had: {where}, and its server is out of reach. {THREE_WAYS}.")
    report(f"Reading Fashion-MNIST from {manual_dir}" if found else "Downloading Fashion-MNIST (30 MB)")
    if found:
        tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        url_infos=url_infos, download_dir=download_dir, manual_dir=manual_dir, dataset_name="fashion_mnist"
    )
    try:
        paths = manager.download({name: urls[file] for name, file in FILES.items()})
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        what = str(error).splitlines()[0].rstrip(":")
        raise InputError(f"Fashion-MNIST is damaged: {what}. Delete that file and get it again") from error
    except (tfds.download.DownloadError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault; the network's errors have no number
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataUnavailableError(f"Fashion-MNIST can't be downloaded ({reason}). {THREE_WAYS}.") from error
    return {name: _read_idx(Path(path)) for name, path in paths.items()}


def _reachable(url: str, *, seconds: float = 20.0) -> bool:
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
    """An IDX file of bytes: two zeros, 8 (unsigned byte), the rank, the shape as big-endian u32, the data (LeCun)."""
    raw = gzip.decompress(path.read_bytes())
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
