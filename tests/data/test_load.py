import gzip
import hashlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile

import jax
import numpy as np
import pytest

from jaxae.core import step
from jaxae.data import array_files, load, official_files
from jaxae.data.load import load_dataset
from jaxae.data.official_files import FILES
from jaxae.digests import digest
from jaxae.errors import DataUnavailableError, InputError, silent


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(official_files, "_reachable", lambda url: False)


@pytest.fixture
def small_source(monkeypatch):
    """Stands in for TFDS: counts how often the data set is fetched."""
    arrays = {
        "train_images": np.arange(24 * 784, dtype=np.uint32).astype(np.uint8).reshape(24, 28, 28),
        "train_labels": np.arange(24, dtype=np.uint8) % 10,
        "test_images": np.ones((5, 28, 28), np.uint8),
        "test_labels": np.zeros(5, np.uint8),
    }
    calls = []

    def fetch(*arguments):
        calls.append(arguments)
        return arrays

    monkeypatch.setattr(load, "fetch", fetch)
    monkeypatch.setattr(load, "FASHION_MNIST_SHA256", digest(arrays))
    return arrays, calls


def test_cache_is_filled_once_and_gives_the_same_arrays(small_source, tmp_path):
    arrays, calls = small_source
    first, second = (load_dataset("fashion_mnist", data_dir=tmp_path) for _ in range(2))
    assert len(calls) == 1
    assert first.digest == second.digest
    assert (second.train.images[..., 0] == arrays["train_images"][:22]).all()
    assert (second.validation.images[..., 0] == arrays["train_images"][22:]).all()
    assert (second.test.labels == arrays["test_labels"]).all()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["fashion_mnist.npz"]


@pytest.mark.parametrize("name", ["FashionMNIST", "Fashion-MNIST", "fashion mnist", "KMNIST"])
def test_spellings_of_known_names_are_folded_unless_there_is_such_a_folder(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert load.canonical_name(name) == ("kmnist" if name == "KMNIST" else "fashion_mnist")
    (tmp_path / name).mkdir()
    assert load.canonical_name(name) == str(tmp_path / name)


def test_one_folder_has_one_name_by_whatever_way(tmp_path, monkeypatch):
    real = tmp_path / "real"
    (real / "inner").mkdir(parents=True)
    (real / "0123abcd").write_bytes(b"")
    (tmp_path / "link").symlink_to(real)
    (real / "digits.npz").symlink_to(real / "0123abcd")
    monkeypatch.chdir(real)
    for way in (".", "inner/..", "../link", tmp_path / "link" / "inner" / "..", real):
        assert load.canonical_name(str(way)) == str(real)
    # A file's own name stays: stores of files call what a link leads to by a digest.
    for way in ("digits.npz", "inner/../digits.npz", tmp_path / "link" / "digits.npz"):
        assert load.canonical_name(str(way)) == str(real / "digits.npz")


def test_a_name_that_tfds_does_not_have_is_answered_with_near_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tensorflow_datasets.builder", lambda *_, **__: pytest.fail("TFDS was asked")
    )
    with pytest.raises(InputError, match=r"cifar11 is neither .*did you mean cifar10"):
        load_dataset("cifar11", data_dir=tmp_path)


@pytest.mark.parametrize(
    "damage", ["flip", "truncate", "empty", "garbage", "other arrays", "a lie"]
)
def test_damaged_cache_is_noticed_and_rebuilt(damage, small_source, tmp_path):
    good = load_dataset("fashion_mnist", data_dir=tmp_path)
    cache = tmp_path / "jaxae" / "fashion_mnist.npz"
    raw = cache.read_bytes()
    if damage == "flip":  # and mend the zip's own CRC, so that only the digest can tell
        stored = dict(np.load(cache))
        stored["train_images"][3, 3, 3] ^= 1
        np.savez(cache, **stored)
    elif damage == "other arrays":
        np.savez(cache, digest=np.array("0"))
    elif (
        damage == "a lie"
    ):  # whole in itself, with a digest that fits: but no such label is in Fashion-MNIST
        stored = dict(np.load(cache))
        stored["train_labels"][0] = 11
        np.savez(cache, **stored, digest=np.array(digest(stored)))
    else:
        cache.write_bytes(
            {"truncate": raw[: len(raw) // 2], "empty": b"", "garbage": b"\x80\x04K\x01." * 99}[
                damage
            ]
        )
    lines: list[str] = []
    again = load_dataset("fashion_mnist", data_dir=tmp_path, report=lines.append)
    assert again.digest == good.digest
    assert any("damaged" in line for line in lines)
    assert load_dataset("fashion_mnist", data_dir=tmp_path).digest == good.digest
    assert len(small_source[1]) == 2


def test_unwritable_data_dir_is_one_clear_line(small_source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give data_dir another"):
        load_dataset("fashion_mnist", data_dir=tmp_path / "file")


def test_without_files_and_network_the_error_names_three_ways(no_network, tmp_path):
    with pytest.raises(DataUnavailableError, match=r"manual_dir.*data_dir.*network"):
        load_dataset("fashion_mnist", data_dir=tmp_path, manual_dir=tmp_path)


def test_data_that_tfds_has_prepared_are_named(no_network, tmp_path):
    (tmp_path / "fashion_mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(
        DataUnavailableError, match=r"fashion_mnist/3\.0\.1 holds TFDS's prepared records"
    ):
        load_dataset("fashion_mnist", data_dir=tmp_path)


@pytest.mark.parametrize("version", ["4.9", "before"])
def test_what_tfds_has_downloaded_is_taken_before_the_network_is_asked(
    version, real_files, monkeypatch, tmp_path
):
    from tensorflow_datasets.core.download import resource

    monkeypatch.setattr(
        official_files, "_reachable", lambda url: pytest.fail("the network was asked")
    )
    folder = tmp_path / "downloads" / ("fashion_mnist" if version == "4.9" else "")
    folder.mkdir(parents=True)
    for url, info in tfds_builder().url_infos.items():
        name = resource.get_dl_fname(url, info.checksum)
        shutil.copy(real_files / info.filename, folder / name)
        (folder / f"{name}.INFO").write_text("{}")
    lines: list[str] = []
    assert load_dataset("auto", data_dir=tmp_path, report=lines.append).name == "fashion_mnist"
    assert lines == [
        f"Reading Fashion-MNIST from {tmp_path / 'downloads'}, where TFDS has downloaded it"
    ]


def tfds_builder():
    import tensorflow_datasets as tfds

    return tfds.builder_cls("fashion_mnist")


@pytest.mark.parametrize(
    ("what", "words"), [("stalls", "timed out"), ("breaks off", "3 more expected"), ("arrives", "")]
)
def test_a_download_ends_also_where_the_server_stalls_half_way(what, words, monkeypatch, tmp_path):
    monkeypatch.setattr(official_files, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nabc")
                if what == "arrives":
                    connection.sendall(b"def")
                elif what == "stalls":
                    time.sleep(2)

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        if what == "arrives":
            official_files._download(url, tmp_path / "x")
            assert (tmp_path / "x").read_bytes() == b"abcdef"
        else:
            with pytest.raises(DataUnavailableError, match=f"can't be downloaded .*{words}"):
                official_files._download(url, tmp_path / "x")


def test_each_file_is_downloaded_from_its_address(monkeypatch, tmp_path):
    monkeypatch.setattr(official_files, "_reachable", lambda url: True)
    monkeypatch.setattr(official_files, "_download", lambda url, path: path.write_text(url))
    monkeypatch.setattr(
        official_files,
        "_verified",
        lambda name, folder, *_: {path.name: path.read_text() for path in folder.iterdir()},
    )
    found = official_files.fetch("fashion_mnist", tmp_path, None, silent)
    assert found.keys() == set(FILES.values())
    assert all(str(url).endswith(f"/{file}") for file, url in found.items())


def test_auto_falls_back_to_synthetic_and_reports_why(no_network, tmp_path):
    lines: list[str] = []
    dataset = load_dataset("auto", data_dir=tmp_path, report=lines.append)
    assert dataset.name == "synthetic"
    assert "can't be had" in lines[-1]


def test_a_server_that_never_answers_counts_as_none():
    """It accepts the connection and stays silent: the worst network, since no error ever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.perf_counter()
        assert not official_files._reachable(
            f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=0.5
        )
        assert time.perf_counter() - started < 5


def test_a_server_that_talks_nonsense_counts_as_none():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert not official_files._reachable(
            f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=5
        )


def test_idx_of_any_rank(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])))
    assert (array_files.read_idx(path) == [[1, 2, 3], [4, 5, 6]]).all()


@pytest.mark.parametrize(("size", "batch"), [(550, 32), (2048, 128), (130, 1)])
def test_epoch_order_is_a_permutation_without_the_rest(size, batch):
    order = np.asarray(step.epoch_order(jax.random.key(0), size, batch_size=batch))
    assert order.shape == (size // batch, batch)
    assert len(np.unique(order)) == order.size
    assert order.max() < size
    assert (order != np.asarray(step.epoch_order(jax.random.key(1), size, batch_size=batch))).any()


@pytest.mark.parametrize(
    ("size", "batch", "passes", "steps"),
    [(2047, 128, 2, 31), (1213, 128, 2, 18), (20, 128, 103, 16), (1, 3, 48, 16)],
)
def test_an_epoch_of_few_images_goes_through_them_several_times(size, batch, passes, steps):
    order = np.asarray(step.epoch_order(jax.random.key(0), size, batch_size=batch))
    assert order.shape == (steps, batch)
    assert step.epoch_steps(size, batch_size=batch) == steps

    times = np.bincount(order.ravel(), minlength=size)
    assert len(times) == size
    assert times.max() <= passes
    assert passes * size - times.sum() < batch


def test_real_files_become_the_official_splits(real_files, tmp_path):
    dataset = load_dataset("fashion_mnist", data_dir=tmp_path, manual_dir=real_files)
    sizes = [len(part.images) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [55_000, 5_000, 10_000]
    raw = gzip.decompress((real_files / FILES["test_images"]).read_bytes())
    assert (
        hashlib.sha256(dataset.test.images.tobytes()).digest() == hashlib.sha256(raw[16:]).digest()
    )
    train, validation, test = (
        part.labels for part in (dataset.train, dataset.validation, dataset.test)
    )
    assert train is not None
    assert validation is not None
    assert test is not None
    assert (np.bincount(test) == 1000).all()
    assert (np.bincount(np.concatenate([train, validation])) == 6000).all()

    code = (
        "import sys; from pathlib import Path; from jaxae.data.load import load_dataset\n"
        f"found = load_dataset('fashion_mnist', data_dir=Path({str(tmp_path)!r}))\n"
        f"assert found.digest == {dataset.digest!r}\n"
        "assert not {'tensorflow', 'tensorflow_datasets'} & set(sys.modules), 'the cache is there'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_flipped_byte_in_an_official_file_is_named(real_files, tmp_path):
    for name in FILES.values():
        shutil.copy(real_files / name, tmp_path)
    path = tmp_path / FILES["test_labels"]
    raw = bytearray(path.read_bytes())
    raw[1000] ^= 1
    path.write_bytes(raw)
    names: tuple[str, ...] = ("fashion_mnist", "auto")
    for name in names:  # files that are there but wrong must not be passed over in silence
        with pytest.raises(InputError, match=FILES["test_labels"]) as caught:
            load_dataset(name, data_dir=tmp_path / "data", manual_dir=tmp_path)
        assert "\n" not in str(caught.value)
        assert not isinstance(caught.value, DataUnavailableError)


def test_another_data_sets_files_under_the_same_names_are_called_that(real_files, tmp_path):
    for name in FILES.values():
        rank, images = (3, 28) if "images" in name else (1, 0)
        sizes = np.array([5, images, images][:rank], ">u4").tobytes()
        raw = bytes([0, 0, 8, rank]) + sizes + bytes(5 * (784 if images else 1))
        (tmp_path / name).write_bytes(gzip.compress(raw))
    with pytest.raises(
        InputError, match=f"{tmp_path} holds another data set's files, not Fashion-MNIST's"
    ):
        load_dataset("auto", data_dir=tmp_path / "data", manual_dir=tmp_path)


def test_cache_holds_no_pickle(small_source, tmp_path):
    load_dataset("fashion_mnist", data_dir=tmp_path)
    with zipfile.ZipFile(tmp_path / "jaxae" / "fashion_mnist.npz") as archive:
        for name in archive.namelist():
            assert b"'descr': '|O'" not in archive.read(name)[:128]
