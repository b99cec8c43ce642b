"""NumPy's files as people have them, good and bad."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from jaxae.data.array_files import read_arrays
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent

IMAGES = np.random.default_rng(0).integers(0, 256, (90, 6, 5), np.uint8)
LABELS = np.arange(90) % 3


def test_floats_become_the_nearest_of_256_levels(tmp_path):
    np.savez(tmp_path / "x.npz", images=IMAGES.astype(np.float64) / 255, labels=LABELS)
    arrays = read_arrays(tmp_path / "x.npz")
    np.testing.assert_array_equal(arrays["images"], IMAGES)
    np.testing.assert_array_equal(arrays["labels"], LABELS)
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS[:, None])  # as MedMNIST has them
    np.testing.assert_array_equal(read_arrays(tmp_path / "x.npz")["labels"], LABELS)
    np.save(tmp_path / "bits.npy", IMAGES > 99)
    np.testing.assert_array_equal(
        read_arrays(tmp_path / "bits.npy")["images"], np.where(IMAGES > 99, 255, 0)
    )


def test_floats_that_rounding_left_outside_are_taken_as_encode_takes_them(tmp_path):
    """And those further away are refused."""
    images = np.full((4, 6, 5), 0.5)
    images[0, 0, :2] = [1 + 1e-9, -1e-9]
    np.savez(tmp_path / "x.npz", images=images)
    assert read_arrays(tmp_path / "x.npz")["images"][0, 0].tolist() == [255, 0, 128, 128, 128]

    images[0, 0, 0] = 1.001
    np.savez(tmp_path / "x.npz", images=images)
    with pytest.raises(InputError, match="have values from"):
        read_arrays(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("hot", "words"),
    [(2, "2 of 20,000 values above 4,095, the white of 12 bits"), (3, None)],  # 2 are 0.0001
)
def test_a_few_hot_pixels_of_twelve_bits_are_named(hot, words, tmp_path):
    images = np.full((20, 40, 25), 1024, np.uint16)
    images[:4, 0, 0] = 4095
    images[:hot, 5, 5] = 65535
    np.savez(tmp_path / "x.npz", images=images)
    lines: list[str] = []
    arrays = read_arrays(tmp_path / "x.npz", report=lines.append)
    assert arrays["white"] == 65535
    assert arrays["images"][0, 5, 4:6].tolist() == [4, 255]
    assert [line for line in lines if "hot pixels" in line] == [
        line for line in lines if words and words in line
    ]
    assert bool(words) == any("hot pixels" in line for line in lines)


def test_a_file_whose_list_has_lost_an_array_is_refused(tmp_path):
    """The entry before it calls the lost one's bytes its comment, and zipfile believes that."""
    path = tmp_path / "x.npz"
    np.savez(path, train_images=IMAGES, train_labels=LABELS, test_images=IMAGES, test_labels=LABELS)
    raw = bytearray(path.read_bytes())
    *_, before, lost = (at for at in range(len(raw)) if raw[at : at + 4] == b"PK\1\2")
    raw[before + 32 : before + 34] = (raw.index(b"PK\5\6") - lost).to_bytes(2, "little")
    path.write_bytes(raw)
    assert list(np.load(path)) == ["train_images", "train_labels", "test_images"]
    with pytest.raises(InputError, match="3 arrays are listed in it, and 4 were saved"):
        load_dataset(path, report=silent)


def test_a_comment_behind_the_arrays_is_no_damage(tmp_path):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS)
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.comment = b"PK" * 30_000
    assert set(read_arrays(tmp_path / "x.npz")) == {"images", "labels"}


def test_names_of_keras_and_medmnist_are_known(tmp_path):
    np.savez(
        tmp_path / "keras.npz",
        x_train=IMAGES[:60],
        y_train=LABELS[:60],
        x_test=IMAGES[60:],
        y_test=LABELS[60:],
    )
    data = load_dataset(tmp_path / "keras.npz", report=silent)
    np.testing.assert_array_equal(data.test.images[..., 0], IMAGES[60:])
    np.testing.assert_array_equal(data.test.labels, LABELS[60:])
    parts = {"train": slice(60), "val": slice(60, 70), "test": slice(70, None)}
    named: dict[str, Any] = {f"{part}_images": IMAGES[rows] for part, rows in parts.items()}
    named |= {f"{part}_labels": LABELS[rows, None] for part, rows in parts.items()}
    np.savez(tmp_path / "med.npz", **named)
    data = load_dataset(tmp_path / "med.npz", report=silent)
    np.testing.assert_array_equal(data.validation.images[..., 0], IMAGES[60:70])
    np.testing.assert_array_equal(data.validation.labels, LABELS[60:70])


def test_a_file_of_images_alone_and_class_names(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    data = load_dataset(tmp_path / "x.npy", report=silent)
    assert (data.title, data.class_names, data.image_shape) == ("x", (), (6, 5, 1))
    np.savez(
        tmp_path / "y.npz", images=IMAGES, labels=LABELS, class_names=np.array(["a", "b", "c"])
    )
    assert load_dataset(tmp_path / "y.npz", report=silent).class_names == ("a", "b", "c")


def content(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def hostile() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00\xff\xff{'descr': '|u1'")
    return file.getvalue()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (content(images=np.array([{"a": 1}])), "no Python objects"),
        (content(images=IMAGES)[:400], "damaged, or not a file of arrays"),
        (b"", "damaged, or not a file of arrays"),
        (b"hello", "damaged, or not a file of arrays"),
        (hostile(), "damaged, or not a file of arrays"),
        (content(pictures=IMAGES), "holds pictures: give arrays with the names"),
        (content(labels=LABELS), "give images, or train_images and test_images"),
        (content(images=IMAGES.astype(int)), "are int64: give uint8"),
        (content(images=IMAGES / 255.0 * 2 - 1), "have values from -1 to 1: give floats in"),
        (content(images=np.where(IMAGES > 250, np.nan, 0.5)), "have values from nan to nan"),
        (content(images=IMAGES[0]), r"images are uint8\[6, 5\]"),
        (content(images=IMAGES, labels=LABELS[:9]), r"labels are \[9\]"),
        (content(images=IMAGES[:, :0]), r"images are uint8\[90, 0, 5\]"),
    ],
)
def test_a_file_that_holds_no_images_is_one_line(raw, words, tmp_path):
    (tmp_path / "x.npz").write_bytes(raw)
    with pytest.raises(InputError, match=words) as caught:
        load_dataset(tmp_path / "x.npz", report=silent)
    assert "\n" not in str(caught.value)
    assert (
        str(tmp_path / "x.npz") in str(caught.value)
        or "images are" in words
        or "labels are" in words
    )


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.npz does not exist: give dataset a file, a folder"):
        load_dataset(tmp_path / "no.npz", report=silent)
    with pytest.raises(InputError, match="image_size, skip_damaged and labels are for a folder"):
        load_dataset("synthetic", image_size=(5, 5), report=silent)
    with pytest.raises(
        InputError,
        match="unheard_of is neither a file or folder here nor a data set that TFDS knows",
    ):
        load_dataset("unheard_of", data_dir=tmp_path, report=silent)
