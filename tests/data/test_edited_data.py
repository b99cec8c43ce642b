"""A valid file of images is edited: what is read is what it holds, or it is refused in one line."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jaxae.data.array_files import read_idx
from jaxae.data.cache import cached
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.digests import digest
from jaxae.errors import InputError, silent
from tests.edits import BYTES, check_line, with_bytes

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 3), np.uint8)
ARRAYS: dict[str, np.ndarray] = {
    "images": IMAGES,
    "labels": np.arange(40) % 3,
    "class_names": np.array(["a", "b", "c"]),
}
NAMES = st.sampled_from(
    [*ARRAYS, "x", "y", "train_images", "x_test", "test_labels", "other", "", "../images", "y_"]
)
DTYPES = st.sampled_from(
    ["i1", "u2", "i8", "f2", "f8", "c8", "?", "U3", "S2", "M8[s]", "m8", "u1,u1", "V3"]
)
SHAPES = st.sampled_from(
    [(), (0,), (40,), (39, 4, 3), (40, 12), (40, 0, 3), (40, 4, 3, 1), (40, 2, 2, 3), (1,) * 32]
)
EDITS = st.one_of(
    st.tuples(st.sampled_from(["drop", "rename", "add"]), NAMES),
    st.tuples(st.just("dtype"), DTYPES),
    st.tuples(st.just("shape"), SHAPES),
    st.tuples(st.just("value"), st.integers(-300, 300)),
    st.tuples(st.sampled_from(["bytes of the archive", "bytes of an array", "header"]), BYTES),
)


def edited(arrays: dict[str, np.ndarray], name: str, how: str, what: Any) -> dict[str, np.ndarray]:
    """Return the arrays with one of them changed, as they are if that can't be done."""
    array = arrays[name]
    rest = {key: value for key, value in arrays.items() if key != name}
    if how == "drop":
        return {key: value for key, value in arrays.items() if key != what}
    if how == "rename":
        return rest | {what: array}
    if how == "add":
        return arrays | {what: array}
    try:
        if how == "dtype":
            return rest | {name: array.astype(what)}
        if how == "shape":
            return rest | {name: np.resize(array, what)}
        if how == "value":
            seventh = np.arange(array.size).reshape(array.shape) == 7
            return rest | {name: np.where(seventh, what, array)}
    except (ValueError, TypeError, OverflowError):
        pass
    return arrays


def write_edited(path: Path, name: str, how: str, what: Any) -> dict[str, np.ndarray]:
    """Write an archive with one thing edited, and return the arrays that are then in it."""
    stored = edited(ARRAYS, name, how, what)
    with zipfile.ZipFile(path, "w") as archive:  # NumPy's savez takes no name twice
        for key, array in stored.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            raw = file.getvalue()
            if key == name and how in ("bytes of an array", "header"):
                raw = with_bytes(raw, what, below=128 if how == "header" else None)
            archive.writestr(f"{key}.npy", raw)

    if how == "bytes of the archive":  # its checksums notice, unless nothing was changed
        path.write_bytes(with_bytes(path.read_bytes(), what))
    elif how in ("bytes of an array", "header"):
        try:
            with np.load(path) as there:
                return {key: there[key] for key in there.files}
        except Exception:  # NumPy itself can't read it
            return {}
    return stored


def check_dataset(dataset: Dataset, stored: dict[str, np.ndarray]) -> None:
    """Assert that the images are those of the file, each with the name of its own label."""
    (images,) = (array for key, array in stored.items() if key in ("images", "x"))
    labels = next((array for key, array in stored.items() if key in ("labels", "y")), None)
    whole = images.dtype in (np.uint8, np.uint16)  # of which none is above 255
    scaled = images.astype(np.float64) * (1 if whole else 255)
    names: Any = stored.get("class_names", [])
    classes = [""] * len(images)
    if labels is not None and dataset.class_names:
        classes = [str(names[label]) if len(names) else str(label) for label in labels.reshape(-1)]

    found = sorted(
        (image.tobytes(), "" if part.labels is None else dataset.class_names[part.labels[i]])
        for part in (dataset.train, dataset.validation, dataset.test)
        for i, image in enumerate(part.images)
    )
    pairs = zip(np.rint(scaled).astype(np.uint8), classes, strict=True)
    assert found == sorted((image.tobytes(), name) for image, name in pairs)


@given(name=st.sampled_from(sorted(ARRAYS)), edit=EDITS)
def test_an_edited_file_of_arrays(name, edit):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        stored = write_edited(path, name, *edit)
        try:
            dataset = load_dataset(path, report=silent)
        except InputError as error:
            return check_line(error)
    check_dataset(dataset, stored)


@given(edits=BYTES)
def test_an_edited_cache(edits):
    """It is built again unless its arrays are what they were."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        cached(path, lambda: ARRAYS, report=silent)
        path.write_bytes(with_bytes(path.read_bytes(), edits))
        assert digest(cached(path, lambda: ARRAYS, report=silent)) == digest(ARRAYS)


@given(edits=BYTES, near_start=st.booleans(), tail=st.sampled_from([b"", b"\0", b"\0" * 12]))
def test_an_edited_idx_file(edits, near_start, tail):
    whole = b"\0\0\x08\x03" + np.array(IMAGES.shape, ">u4").tobytes() + IMAGES.tobytes()
    raw = with_bytes(whole, edits, below=16 if near_start else None) + tail
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.gz"
        path.write_bytes(gzip.compress(raw, 1))
        try:
            found = read_idx(path)
        except InputError as error:
            return check_line(error)
    assert raw[:3] == b"\0\0\x08"
    assert found.tobytes() == raw[4 + 4 * raw[3] :]
    assert found.shape == tuple(int.from_bytes(raw[4 + 4 * k : 8 + 4 * k]) for k in range(raw[3]))


KINDS = [
    ("L", "png"),
    ("RGB", "png"),
    ("P", "gif"),
    ("L", "bmp"),
    ("RGB", "ppm"),
    ("I;16", "tiff"),
    ("RGB", "jpeg"),
    ("RGBA", "png"),
]


@given(kind=st.sampled_from(KINDS), edits=BYTES, near_start=st.booleans(), skip=st.booleans())
def test_an_edited_picture_in_a_folder(kind, edits, near_start, skip):
    """The others are read as they are; it is read, refused, or left out if that is asked for."""
    mode, suffix = kind
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        for number, image in enumerate(IMAGES[:12]):
            Image.fromarray(image).save(folder / f"{number:02d}.png")

        path = folder / f"edited.{suffix}"
        values = IMAGES[12].astype(np.uint16) * 257 if mode == "I;16" else IMAGES[12]
        picture = Image.fromarray(values)
        (picture if mode == "I;16" else picture.convert(mode)).save(path)
        path.write_bytes(with_bytes(path.read_bytes(), edits, below=64 if near_start else None))
        try:
            dataset = load_dataset(
                folder, data_dir=Path(place) / "kept", skip_damaged=skip, report=silent
            )
        except InputError as error:
            return check_line(error)
    parts = (dataset.train, dataset.validation, dataset.test)
    found = [image for part in parts for image in part.images]
    assert len(found) == 13 or (skip and len(found) == 12)
    grey = sorted(image[..., :1].tobytes() for image in found)
    assert all(image.tobytes() in grey for image in IMAGES[:12])
