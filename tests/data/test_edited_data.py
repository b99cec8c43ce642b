"""Valid files of images with one thing edited, checksums recomputed: what comes out is what the file holds, or one line."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from jaxae.data.array_files import read_idx
from jaxae.data.cache import DIGEST, cached
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.data.split import split
from jaxae.digests import digest
from jaxae.errors import InputError, silent

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
    [
        (),
        (0,),
        (40,),
        (39, 4, 3),
        (40, 12),
        (40, 0, 3),
        (40, 4, 3, 1),
        (40, 2, 2, 3),
        (2, 20, 4, 3),
        (1,) * 32,
    ]
)
EDITS = st.one_of(
    st.tuples(st.just("drop"), NAMES),
    st.tuples(st.just("dtype"), DTYPES),
    st.tuples(st.just("shape"), SHAPES),
    st.tuples(st.just("rename"), NAMES),
    st.tuples(st.just("add"), NAMES),
    st.tuples(st.just("value"), st.integers(-300, 300)),
)
BYTES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3)


def edited(arrays: dict[str, np.ndarray], name: str, how: str, what: Any) -> dict[str, np.ndarray]:
    """The arrays with one of them changed; as they are where that change can't be made."""
    array, rest = arrays[name], {key: value for key, value in arrays.items() if key != name}
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
        return rest | {name: np.where(np.arange(array.size).reshape(array.shape) == 7, what, array)}
    except (ValueError, TypeError):
        return arrays


def with_bytes(raw: bytes, edits: list[tuple[int, int]]) -> bytes:
    changed = bytearray(raw)
    for place, value in edits:
        changed[place % len(changed)] = value
    return bytes(changed)


def check_line(error: InputError) -> None:
    assert "\n" not in str(error)


def check_dataset(dataset: Dataset, stored: dict[str, np.ndarray]) -> None:
    """The images are those of the file, each with its own label: integers and texts as the file has them, by name."""
    (images,) = (array for key, array in stored.items() if key in ("images", "x"))
    labels = next((array for key, array in stored.items() if key in ("labels", "y")), None)
    scaled = images.astype(np.float64) * (1 if images.dtype == np.uint8 else 255)
    names: Any = stored.get("class_names", [])
    parts = (dataset.train, dataset.validation, dataset.test)
    found = sorted(
        (image.tobytes(), "" if part.labels is None else dataset.class_names[part.labels[i]])
        for part in parts
        for i, image in enumerate(part.images)
    )
    classes = [""] * len(images)
    if labels is not None and dataset.class_names:
        classes = [str(names[label]) if len(names) else str(label) for label in labels.reshape(-1)]
    expected = sorted(
        (image.tobytes(), name)
        for image, name in zip(np.rint(scaled).astype(np.uint8), classes, strict=True)
    )
    assert found == expected


@given(name=st.sampled_from(sorted(ARRAYS)), edit=EDITS)
def test_an_edited_file_of_arrays_is_read_as_it_is_or_refused(name, edit):
    stored = edited(ARRAYS, name, *edit)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        with zipfile.ZipFile(
            path, "w"
        ) as archive:  # numpy.savez takes no name twice, and none with a slash
            for key, array in stored.items():
                file = io.BytesIO()
                np.save(file, array, allow_pickle=False)
                archive.writestr(f"{key}.npy", file.getvalue())
        check_or_refused(path, stored)


@given(name=st.sampled_from(sorted(ARRAYS)), edits=BYTES, near_start=st.booleans())
def test_edited_bytes_of_an_array_are_read_as_they_are_or_refused(name, edits, near_start):
    """In the array's header, or anywhere in it; the archive's checksum is of the edited bytes."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for key, array in ARRAYS.items():
                file = io.BytesIO()
                np.save(file, array)
                raw = file.getvalue()
                if key == name:
                    raw = (
                        with_bytes(raw[:128], edits) + raw[128:]
                        if near_start
                        else with_bytes(raw, edits)
                    )
                archive.writestr(f"{key}.npy", raw)
        try:
            with np.load(path) as there:
                stored = {key: there[key] for key in there.files}
        except Exception:  # NumPy itself can't read it
            stored = {}
        check_or_refused(path, stored)


@given(edits=BYTES)
def test_edited_bytes_of_an_archive_are_read_as_they_were_or_refused(edits):
    """Its checksums are those of the bytes before: what passes is all that was there."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        np.savez(path, allow_pickle=False, **ARRAYS)
        path.write_bytes(with_bytes(path.read_bytes(), edits))
        check_or_refused(path, ARRAYS)


def check_or_refused(path: Path, stored: dict[str, np.ndarray]) -> None:
    try:
        dataset = load_dataset(path, report=silent)
    except InputError as error:
        return check_line(error)
    check_dataset(dataset, stored)


@given(name=st.sampled_from(sorted(ARRAYS)), edit=EDITS)
def test_an_edited_cache_whose_digest_fits_is_taken_whole_or_refused(name, edit):
    stored = edited(ARRAYS, name, *edit)
    stored.pop("", None)
    assume(all(array.dtype.kind not in "mM" for array in stored.values()))  # times have no digest
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        np.savez(
            path,
            allow_pickle=False,
            **{key.replace("/", "_"): array for key, array in stored.items()},
        )
        with np.load(path) as there:
            sha256 = np.array(digest(dict(there)))
            np.savez(path, allow_pickle=False, **there, **{DIGEST: sha256})
        arrays = cached(path, lambda: ARRAYS, report=silent)
        assert digest(arrays) == str(sha256) or arrays is ARRAYS
        try:
            dataset = split(arrays, name="x", shares=(0.8, 0.1, 0.1))
        except InputError as error:
            return check_line(error)
        images = np.concatenate(
            [part.images for part in (dataset.train, dataset.validation, dataset.test)]
        )
        assert sorted(map(bytes, images)) == sorted(map(bytes, arrays["images"]))


@given(edits=BYTES, near_start=st.booleans(), tail=st.sampled_from([b"", b"\0", b"\0" * 12]))
def test_an_edited_idx_file_is_read_as_it_is_or_refused(edits, near_start, tail):
    whole = b"\0\0\x08\x03" + np.array(IMAGES.shape, ">u4").tobytes() + IMAGES.tobytes()
    raw = (
        with_bytes(whole[:16], edits) + whole[16:] if near_start else with_bytes(whole, edits)
    ) + tail
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
def test_an_edited_picture_in_a_folder_is_read_as_pillow_reads_it_or_refused(
    kind, edits, near_start, skip
):
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
        raw = path.read_bytes()
        path.write_bytes(
            with_bytes(raw[:64], edits) + raw[64:] if near_start else with_bytes(raw, edits)
        )
        try:
            dataset = load_dataset(
                folder, data_dir=Path(place) / "kept", skip_damaged=skip, report=silent
            )
        except InputError as error:
            return check_line(error)
    found = [
        image for part in (dataset.train, dataset.validation, dataset.test) for image in part.images
    ]
    assert len(found) == 13 or (skip and len(found) == 12)
    grey = sorted(image[..., :1].tobytes() for image in found)
    assert all(image.tobytes() in grey for image in IMAGES[:12])
