"""Fashion-MNIST through TFDS as uint8 arrays: fetched and verified once, then read from a decoded cache.

TensorFlow is not needed: TFDS's download manager finds or fetches the four official files and checks their SHA-256,
and the IDX format is read here. The official order is kept; the splits are cut from it.
"""

import contextlib
import gzip
import hashlib
import os
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxae.errors import DataUnavailableError, InputError
from jaxae.rng import Stream, derive, root_key
from jaxae.synthetic import synthetic_arrays

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
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


class Split(NamedTuple):
    """images: u8[N, 28, 28]; labels: u8[N] in 0 … 9."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """name: fashion_mnist or synthetic; digest: SHA-256 of the arrays before splitting."""

    name: str
    digest: str
    train: Split
    validation: Split
    test: Split


def load(
    name: str,
    *,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Dataset:
    """The data set by its name in the config. Raises DataUnavailableError, or InputError for a damaged file.

    data_dir: where the cache is (default $TFDS_DATA_DIR or ~/tensorflow_datasets); manual_dir: the official files
    (default $JAXAE_MANUAL_DIR). "auto" falls back to synthetic when Fashion-MNIST can't be had, and reports why.
    """
    if name == "synthetic":
        return _split(name, synthetic_arrays(derive(root_key(0), Stream.SYNTHETIC)))  # one data set for all runs
    cache = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser() / "jaxae"
    manual_dir = manual_dir or (Path(os.environ["JAXAE_MANUAL_DIR"]) if "JAXAE_MANUAL_DIR" in os.environ else None)
    try:
        return _split("fashion_mnist", _cached(cache / "fashion_mnist.npz", manual_dir, report))
    except DataUnavailableError as error:
        if name != "auto":
            raise
        report(str(error))
        return load("synthetic")


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, in the order of the names."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def epoch_order(key: jax.Array, size: int, *, batch_size: int) -> jax.Array:
    """A random order of 0 … size - 1 cut into batches, i32[size // batch_size, batch_size]; the rest is left out."""
    steps = size // batch_size
    return jax.random.permutation(key, size)[: steps * batch_size].reshape(steps, batch_size)


def _split(name: str, arrays: Mapping[str, np.ndarray]) -> Dataset:
    images, labels = arrays["train_images"], arrays["train_labels"]
    cut = len(images) * 11 // 12  # the first 55,000 of 60,000
    return Dataset(
        name,
        digest(arrays),
        train=Split(images[:cut], labels[:cut]),
        validation=Split(images[cut:], labels[cut:]),
        test=Split(arrays["test_images"], arrays["test_labels"]),
    )


def _cached(path: Path, manual_dir: Path | None, report: Callable[[str], None]) -> dict[str, np.ndarray]:
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in FILES}
                if str(stored["digest"]) == digest(arrays):
                    return arrays
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass
        report(f"The cache {path} is damaged: building it again.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = _fetch(path.parent.parent / "downloads", manual_dir, report)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as temporary:
            try:
                np.savez(temporary, digest=np.array(digest(arrays)), **arrays)
            except BaseException:
                os.unlink(temporary.name)
                raise
        os.replace(temporary.name, path)
    except OSError as error:
        raise InputError(f"{path.parent} can't be written ({error.strerror}): name another folder with --data-dir") from error
    return arrays


def _fetch(download_dir: Path, manual_dir: Path | None, report: Callable[[str], None]) -> dict[str, np.ndarray]:
    import tensorflow_datasets as tfds  # here, not above: half a second that a filled cache need not pay

    url_infos = tfds.builder_cls("fashion_mnist").url_infos
    urls = {info.filename: url for url, info in url_infos.items()}
    found = manual_dir is not None and all((manual_dir / name).is_file() for name in FILES.values())
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
    except (tfds.download.DownloadError, tfds.download.download_manager.NonMatchingChecksumError) as error:
        what = str(error).splitlines()[0].rstrip(":")
        raise InputError(f"Fashion-MNIST is damaged: {what}. Delete that file and get it again") from error
    return {name: _read_idx(Path(path)) for name, path in paths.items()}


def _reachable(url: str, *, seconds: float = 20.0) -> bool:
    """Whether a small file arrives in time. In a thread of its own, since looking up a host's name can hang for ever."""
    arrived = threading.Event()

    def fetch() -> None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=seconds) as response:
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
