"""Folders of pictures as people have them, good and bad.

Pillow wrote them, by other calls than those that read them.
"""

import os
import struct
import tempfile
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

from jaxae import pictures
from jaxae.data import image_folder
from jaxae.data.folder_layout import find_pictures
from jaxae.data.image_folder import choose_size, in_threads, read_pictures
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent
from jaxae.pictures import Decoded, read_picture
from tests.runs.test_directory import nobody

RNG = np.random.default_rng(0)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)  # type: ignore[arg-type]
    return path


def random(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def fill(
    root: Path,
    *,
    count: int = 60,
    classes: tuple[str, ...] = ("b", "a"),
    shape: tuple[int, ...] = (6, 5),
) -> Path:
    for number in range(count):
        save(
            root / classes[number % len(classes)] / f"{number}.png"
            if classes
            else root / f"{number}.png",
            random(*shape),
        )
    return root


def load(root: Path, tmp_path: Path, **options):
    lines: list[str] = []
    return load_dataset(root, data_dir=tmp_path / "cache", report=lines.append, **options), lines


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_classes_are_folders_and_pixels_are_the_files(shape, tmp_path):
    data, lines = load(fill(tmp_path / "pics", shape=shape), tmp_path)
    assert data.class_names == ("a", "b")
    assert data.image_shape == (*shape, 1)[:3]
    assert (data.name, data.title) == (str(tmp_path / "pics"), "pics")
    assert any("shares of 0.8, 0.1, 0.1" in line for line in lines)
    wanted = {
        np.asarray(Image.open(path)).tobytes(): path.parent.name
        for path in (tmp_path / "pics").rglob("*.png")
    }
    found = {
        image.tobytes(): data.class_names[label]
        for part in (data.train, data.validation, data.test)
        for image, label in zip(part.images, part.labels, strict=True)
    }
    assert found == wanted


def test_without_folders_there_are_no_labels_and_other_files_are_passed_over(tmp_path):
    root = fill(tmp_path / "pics", classes=())
    (root / "notes.txt").write_text("hello")
    (root / ".hidden.png").write_text("no picture")
    data, lines = load(root, tmp_path)
    assert (data.class_names, data.train.labels) == ((), None)
    assert any(
        line.startswith("1 other files are passed over, such as") and "notes.txt" in line
        for line in lines
    )


@pytest.mark.parametrize(
    "names",
    [
        ("train", "validation", "test"),
        ("Train", "val", "test"),
        ("training", "dev", "testing"),
        ("TRAIN", "valid", "eval"),
        ("train", "test"),
        ("training", "testing"),
    ],
)
def test_own_splits_are_kept(names, tmp_path):
    for number, name in enumerate(names):
        count = 8 if name == names[-1] else (60, 12)[number]
        fill(tmp_path / "pics" / name, count=count)
    data, _ = load(tmp_path / "pics", tmp_path)
    assert len(data.test.images) == 8
    assert len(data.train.images) + len(data.validation.images) == (72 if len(names) == 3 else 60)
    assert len(names) == 2 or len(data.validation.images) == 12
    assert data.class_names == ("a", "b")


def test_it_is_decoded_once_and_again_when_a_file_changes(tmp_path):
    root = fill(tmp_path / "pics")
    first, _ = load(root, tmp_path)
    again, lines = load(root, tmp_path)
    assert again.digest == first.digest
    assert any("decoded before" in line for line in lines)
    victim = next(iter(sorted(root.rglob("*.png"))))
    os.utime(save(victim, random(6, 5)), (1, 1))
    assert load(root, tmp_path)[0].digest != first.digest

    # Other pixels in a file of the same size and time, as a copy that keeps times can leave it.
    bitmap = root / "a" / "bitmap.bmp"
    save(bitmap, random(6, 5))
    os.utime(bitmap, (1, 1))
    before, _ = load(root, tmp_path)
    os.utime(save(bitmap, random(6, 5)), (1, 1))
    assert load(root, tmp_path)[0].digest != before.digest
    bitmap.unlink()
    smaller, _ = load(root, tmp_path, image_size=(3, 2))
    assert smaller.image_shape == (3, 2, 1)
    assert load(root, tmp_path)[0].image_shape == (6, 5, 1)
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1  # of the way that was asked for last


def test_what_has_changed_in_a_folder_is_told_from_then_on(tmp_path):
    root = fill(tmp_path / "pics")
    _, lines = load(root, tmp_path)
    assert not any("have changed" in line for line in lines)
    save(root / "a" / "one more.png", random(6, 5))
    (root / "b" / "0.png").unlink()
    told = (
        "Files have changed since they were decoded before: "
        f"1 new, such as {Path('a', 'one more.png')}; 1 gone, such as {Path('b', '0.png')}"
    )
    assert told in load(root, tmp_path)[1]
    assert told in load(root, tmp_path)[1]


def test_a_renamed_picture_is_the_same_data_and_another_class_is_not(tmp_path):
    root = fill(tmp_path / "pics")
    first, _ = load(root, tmp_path)
    picture = root / "a" / "1.png"
    picture = picture.rename(root / "a" / "zebra.png")
    renamed, _ = load(root, tmp_path)
    assert renamed.digest == first.digest
    np.testing.assert_array_equal(renamed.train.images, first.train.images)
    picture.rename(root / "b" / "zebra.png")
    assert load(root, tmp_path)[0].digest != first.digest


def test_each_image_has_the_name_of_its_file(tmp_path):
    """Also after a picture was renamed, which is the same data."""
    root = fill(tmp_path / "pics", shape=(6, 5, 3))
    first, _ = load(root, tmp_path)
    (root / "a" / "1.png").rename(root / "a" / "zebra.png")
    data, _ = load(root, tmp_path)
    assert data.digest == first.digest
    files = np.concatenate([part.files for part in data.parts.values() if part.files is not None])
    assert "a/zebra.png" in files
    for part in data.parts.values():
        assert part.files is not None
        assert part.labels is not None
        for file, image, label in zip(part.files, part.images, part.labels, strict=True):
            np.testing.assert_array_equal(Image.open(root / file), image)
            assert file.startswith(data.class_names[label])
    assert [*data.names("train"), *data.names("validation"), *data.names("test")] == list(files)


def test_labels_come_from_a_table(tmp_path):
    """By the path in the folder or by the name alone, whatever folders the pictures are in."""
    root = fill(tmp_path / "pics", classes=("a", "b"))
    save(root / "loose.png", random(6, 5))
    table = tmp_path / "labels.csv"
    rows = [f'{"b/" * (k % 2)}{k}.png,"kind {k % 3}, or so"' for k in range(60)]
    lines = [
        "label_of,file,label",
        *(f"x,{row}" for row in rows),
        "x,loose.png,kind 0",
        "x,no.png,z",
    ]
    table.write_text("\n".join(lines), "utf-8-sig")
    data, told = load(root, tmp_path, labels=table)
    for part in data.parts.values():
        assert part.files is not None
        assert part.labels is not None
        for file, label in zip(part.files, part.labels, strict=True):
            number = 0 if file == "loose.png" else int(Path(file).stem) % 3
            assert data.class_names[label].startswith(f"kind {number}")
    assert f"1 files that {table} names are not in {root}, such as no.png" in told

    table.write_text(table.read_text("utf-8-sig").replace("loose.png,kind 0", "loose.png,kind 9"))
    assert "kind 9" in load(root, tmp_path, labels=table)[0].class_names


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "which can't be read"),
        ("id,breed\n1,2\n", "has the columns id, breed: give file and label"),
        ("", "has the columns of nothing"),
        ("file,label\n0.png,a\n", "has no label for 1.png: add it"),
        ("file,label\n0.png,a\n0.png,b\n", "gives 0.png the labels a and b"),
        ("file,label\n0.png,\n", "has an empty label for 0.png"),
        ("file,label\n0.png\n", "has an empty label for 0.png"),
        (b"file,label\n\xff\xfe,1\n", "no CSV file in UTF-8"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_one_line(table, words, tmp_path):
    root = fill(tmp_path / "pics", classes=(), count=2)
    path = tmp_path / "labels.csv"
    if table is not None:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(InputError, match=words) as caught:
        load(root, tmp_path, labels=path)
    assert "\n" not in str(caught.value)


def test_images_are_in_no_order_of_classes(tmp_path):
    data, _ = load(fill(tmp_path / "pics", count=200), tmp_path)
    labels = np.asarray(data.train.labels)
    assert 0.2 < labels[: len(labels) // 2].mean() < 0.8


def test_a_damaged_cache_is_built_again(tmp_path):
    root = fill(tmp_path / "pics")
    first, _ = load(root, tmp_path)
    (cache,) = (tmp_path / "cache").rglob("*.npz")
    stored = dict(np.load(cache))
    stored["images"][3] ^= 1
    np.savez(cache, **stored)
    again, lines = load(root, tmp_path)
    assert again.digest == first.digest
    assert any("damaged" in line for line in lines)


def test_grey_and_colour_together_become_colour_with_one_line(tmp_path):
    root = fill(tmp_path / "pics", classes=())
    save(root / "red.png", np.full((6, 5, 3), [200, 0, 0], np.uint8))
    data, lines = load(root, tmp_path)
    assert data.image_shape == (6, 5, 3)
    assert [line for line in lines if "60 grey and 1 colour pictures: all are taken as RGB" in line]


def png16(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits, grey or RGB, written by hand from its specification."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = values.shape[:2]
    kind = 2 if values.ndim == 3 else 0
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def pixels(path: Path, *, size: tuple[int, int] | None = None) -> np.ndarray:
    found = read_picture(path, size=size)
    assert isinstance(found, Decoded), found
    return found.pixels


def test_rules_for_a_picture(tmp_path):
    values = np.array([[0, 257, 65535, 40000]])
    np.testing.assert_array_equal(pixels(png16(tmp_path / "16.png", values)), values)
    clear = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], np.uint8)
    expected = [[[200, 100, 50], [0, 0, 0], [40, 20, 10]]]  # on black
    np.testing.assert_array_equal(pixels(save(tmp_path / "clear.png", clear)), expected)
    grey = np.array([[[200, 255], [200, 0]]], np.uint8)
    Image.fromarray(grey, "LA").save(tmp_path / "la.png")
    np.testing.assert_array_equal(pixels(tmp_path / "la.png"), [[200, 0]])
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(pixels(tmp_path / "bits.png"), [[255, 0]])
    colour = random(1, 9, 3)
    Image.fromarray(colour).quantize(9).save(tmp_path / "palette.png")
    assert np.shape(pixels(tmp_path / "palette.png")) == (1, 9, 3)
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(pixels(tmp_path / "cmyk.tif"), colour)


def test_exif_turns_a_picture_before_its_size_is_looked_at(tmp_path):
    array = random(4, 6)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    turned = pixels(save(tmp_path / "turned.png", array, exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(array, -1))


def test_several_sizes_become_one_and_a_line_says_how(tmp_path):
    root = fill(tmp_path / "pics", classes=())
    save(root / "large.png", np.kron(random(6, 5), np.ones((2, 3), np.uint8)))
    data, lines = load(root, tmp_path)
    assert data.image_shape == (6, 5, 1)
    (line,) = [line for line in lines if "taken as 6×5" in line]
    assert "2 sizes from 6×5 to 12×15" in line
    assert "at most by 33%" in line  # 12×15 covers 6×5 as 6×7.5, of which 2.5 columns go

    data, lines = load(root, tmp_path, image_size=7)
    assert data.image_shape == (7, 7, 1)
    assert any("taken as 7×7" in line for line in lines)


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(200, 256)] * 3, (200, 256)),
        ([(3000, 4000)] * 3, (48, 64)),
        ([(3000, 4000), (4000, 3000), (4000, 3000)], (64, 48)),
        ([(16, 16), (22, 22), (24, 24)], (22, 22)),
        ([(500, 2), (500, 1), (500, 1)], (64, 1)),
        ([], (64, 64)),
    ],
)
def test_the_size_is_the_pictures_own_or_their_median_in_small(sizes, chosen):
    assert choose_size(sizes) == chosen


def test_a_picture_covers_its_size_and_is_cut_on_both_sides(tmp_path):
    """20 rows of 60 columns as 10×10 are the middle 20 columns at half size. A disc stays one."""
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    wide[:, :5] = 255
    found = pixels(save(tmp_path / "wide.png", wide), size=(10, 10))
    assert (found[:, 1:-1] == 200).all()
    assert found.max() <= 200

    disc = np.hypot(*np.mgrid[-40:40, -90:90]) < 30
    small = pixels(save(tmp_path / "disc.png", np.uint8(255) * disc), size=(16, 16))
    np.testing.assert_allclose(small, small.T, atol=40)
    assert small.mean() / 255 == pytest.approx(np.pi * 30**2 / 80**2, rel=0.02)


def test_a_large_photograph_is_read_in_small_as_it_is_in_full(tmp_path):
    """JPEG's decoder leaves out what the smaller size does not show."""
    photo = photographs.astronaut()
    found = pixels(save(tmp_path / "photo.jpg", photo, quality=95), size=(24, 24))
    whole = Image.fromarray(photo).resize((24, 24), Image.Resampling.BILINEAR)
    assert np.abs(found.astype(int) - np.asarray(whole)).mean() < 2

    found = pixels(save(tmp_path / "tall.jpg", photo[:, :64], quality=95), size=(24, 24))
    whole = Image.fromarray(photo[224:288, :64]).resize((24, 24), Image.Resampling.BILINEAR)
    assert np.abs(found.astype(int) - np.asarray(whole)).mean() < 2


def test_black_on_nothing_is_shown_on_white_and_a_line_says_so(tmp_path):
    root = fill(tmp_path / "pics", classes=(), count=40, shape=(6, 5, 3))
    icon = np.zeros((6, 5, 4), np.uint8)
    icon[2:4, 1:3, 3] = 255
    save(root / "icon.png", icon)
    save(root / "nothing.png", np.zeros((6, 5, 4), np.uint8))
    data, lines = load(root, tmp_path)
    assert any("on white where black would hide them: 1, such as" in line for line in lines)
    read = np.concatenate([data.train.images, data.validation.images, data.test.images])
    wanted = np.repeat(np.where(icon[..., 3:] > 0, 0, 255), 3, axis=2)
    assert (read == wanted).all(axis=(1, 2, 3)).sum() == 1
    assert (read == 0).all(axis=(1, 2, 3)).sum() == 1  # nothing at all stays black


def test_resizing_keeps_the_mean_of_each_block(tmp_path):
    blocks = random(3, 2)
    large = save(tmp_path / "large.png", np.kron(blocks, np.ones((40, 40), np.uint8)))
    small = pixels(large, size=(3, 2))
    assert np.shape(small) == (3, 2)
    whole = Image.fromarray(np.kron(blocks, np.ones((40, 40), np.uint8))).resize(
        (2, 3), Image.Resampling.BILINEAR
    )
    np.testing.assert_array_equal(small, np.asarray(whole))

    wide = np.array([[0, 4095], [300, 65535], [4000, 17]], np.uint16)
    large = save(tmp_path / "large.tif", np.kron(wide, np.ones((40, 40), np.uint16)))
    small = pixels(large, size=(6, 4))  # two pixels a block, of which the middle ones mix
    assert small.dtype == np.uint16
    np.testing.assert_array_equal(small[[0, 5]][:, [0, 3]], wide[[0, 2]])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "truncated"),
        (lambda path: path.write_bytes(b""), "cannot identify"),
        (lambda path: path.write_bytes(b"GIF89a, or so it says"), "can't be read"),
        (lambda path: bomb(path), "20000×20000 pixels|decompression bomb"),
    ],
    ids=["truncated", "empty", "another kind", "a bomb"],
)
def test_a_damaged_picture_is_named_and_left_out_only_when_told_to(spoil, words, tmp_path):
    root = fill(tmp_path / "pics")
    victim = root / "a" / "1.png"
    spoil(victim)
    with pytest.raises(InputError, match=words) as caught:
        load(root, tmp_path)
    assert str(victim) in str(caught.value)
    assert "give skip_damaged" in str(caught.value)
    assert "\n" not in str(caught.value)
    data, lines = load(root, tmp_path, skip_damaged=True)
    assert sum(len(part.images) for part in (data.train, data.validation, data.test)) == 59
    assert f"1 damaged pictures are left out, such as {victim}" in lines


def test_a_folder_of_damaged_pictures_alone_is_one_line(tmp_path):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"no picture that can be read, such as .*1\.png"):
        load(tmp_path / "pics", tmp_path, skip_damaged=True)


def test_a_picture_may_have_as_many_pixels_as_the_limit_says(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 12)
    assert pixels(save(tmp_path / "12.png", random(3, 4))).size == 12
    refused = read_picture(save(tmp_path / "15.png", random(3, 5)))
    assert refused == "3×5 pixels, more than 12"


def bomb(path: Path) -> None:
    """A PNG that says it is 20,000 by 20,000."""
    png16(path, np.zeros((1, 1), np.uint16))
    raw = bytearray(path.read_bytes())
    raw[16:24] = struct.pack(">II", 20000, 20000)
    raw[29:33] = struct.pack(">I", zlib.crc32(bytes(raw[12:29])))
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: root.mkdir(), "holds no pictures"),
        (lambda root: (root / "a").mkdir(parents=True), "holds no pictures"),
        (lambda root: save(root / "one.png", random(6, 5)), "too few images"),
        (
            lambda root: [save(root / f"{k}.png", np.zeros((6, 5), np.uint8)) for k in range(50)],
            "all are the same",
        ),
        (lambda root: save(fill(root) / "beside.png", random(6, 5)), "beside.png in none"),
        (lambda root: fill(root / "train"), "give train and test"),
        (lambda root: [fill(root / "val"), fill(root / "test")], "give train and test"),
        (
            lambda root: [fill(root / name) for name in ("train", "test", "extra")],
            "holds the splits test, train, and extra: move that folder away",
        ),
        (
            lambda root: [fill(root / name) for name in ("train", "test", "eval")],
            "eval, test, train: name one folder for each split",
        ),
        (
            lambda root: [fill(root / "train"), fill(root / "test", classes=())],
            "in folders of classes",
        ),
    ],
)
def test_a_folder_in_no_order_is_one_line(make, words, tmp_path):
    make(tmp_path / "pics")
    with pytest.raises(InputError, match=words) as caught:
        load(tmp_path / "pics", tmp_path)
    assert "\n" not in str(caught.value)


def test_classes_have_names_that_can_be_printed_and_drawn(tmp_path):
    """$ and | are part of a name; a byte that is not UTF-8 is written as Python would."""
    root = tmp_path / "pictures"
    for name in (b"caf\xe9", b"a|b", b"$5 and $6$"):
        folder = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        for number in range(12):
            save(folder / f"{number}.png", random(8, 8))

    dataset, _ = load(root, tmp_path)
    assert dataset.class_names == ("$5 and $6$", "a|b", "caf\\xe9")
    dataset.title.encode()


def test_a_name_is_one_class_however_its_accents_are_written(tmp_path):
    """Macs write a letter and its accent as two characters: a copied test set has other names."""
    names = {"train": unicodedata.normalize("NFC", "é"), "test": unicodedata.normalize("NFD", "é")}
    for part, name in names.items():
        fill(tmp_path / "pics" / part, classes=(f"caf{name}", "bar"))
    dataset, _ = load(tmp_path / "pics", tmp_path)
    assert dataset.class_names == ("bar", "caf\u00e9")
    assert np.bincount(dataset.test.labels).tolist() == [30, 30]


@pytest.mark.parametrize("around", ["data", "archive/My set"])
@pytest.mark.parametrize("splits", [(), ("train", "test")])
def test_a_folder_around_classes_or_splits_does_not_count(around, splits, tmp_path):
    """An archive often unpacks into a folder more, and leaves another one beside that."""
    for place in splits or ("",):
        fill(tmp_path / "pics" / around / place)
    (tmp_path / "pics" / "__MACOSX").mkdir()
    wrapped, lines = load(tmp_path / "pics", tmp_path)
    inner, _ = load(tmp_path / "pics" / around, tmp_path)
    assert wrapped.class_names == ("a", "b")
    assert wrapped.digest == inner.digest
    assert len(wrapped.test.images) == len(inner.test.images)
    assert any(f"All pictures are in {tmp_path / 'pics' / around}: " in line for line in lines)
    assert any("__MACOSX is passed over" in line for line in lines)


def test_one_class_alone_is_taken_as_no_labels(tmp_path):
    data, lines = load(fill(tmp_path / "pics", classes=("only",)), tmp_path)
    assert (data.class_names, data.test.labels) == ((), None)
    assert any("one label" in line for line in lines)


def test_reading_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxae.data.image_folder.SECONDS", -1.0)
    root = fill(tmp_path / "pics", count=20)
    lines: list[str] = []
    read_pictures(root, find_pictures(root, silent), scratch=tmp_path, report=lines.append)
    assert lines[4] == f"Reading the pictures in {root}: 5 of 20"


def test_files_are_read_a_few_ahead(monkeypatch):
    """The tasks of a million files would take two gigabytes."""
    monkeypatch.setattr(image_folder, "AHEAD", 4)
    paths = [Path(str(number)) for number in range(10)]
    begun: list[Path] = []

    def read(path: Path) -> Path:
        begun.append(path)
        return path

    found = in_threads(read, paths)
    assert next(found) == paths[0]
    assert len(begun) <= 4
    assert list(found) == paths[1:]


def test_what_systems_leave_and_folders_without_pictures_are_no_classes(tmp_path):
    root = tmp_path / "pics"
    for name, count in (("training", 60), ("testing", 8)):
        fill(root / name, count=count)
    for name in ("__MACOSX/training", ".git", "notes"):
        (root / name).mkdir(parents=True)
    save(root / "__MACOSX" / "training" / "._1.png", random(6, 5))
    save(root / "__MACOSX" / "2.png", random(6, 5))
    (root / "notes" / "README").write_text("hello")
    (root / ".DS_Store").write_text("")

    data, lines = load(root, tmp_path)
    assert (data.class_names, len(data.test.images)) == (("a", "b"), 8)
    assert f"The folder {root / '__MACOSX'} is passed over: it is a system's" in lines
    assert f"The folder {root / 'notes'} is passed over: it holds no pictures" in lines


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    data, _ = load(fill(tmp_path / "pics", classes=("train", "bus", "car")), tmp_path)
    assert data.class_names == ("bus", "car", "train")


def test_linked_classes_are_read_and_loops_end(tmp_path):
    fill(tmp_path / "elsewhere", classes=("c",), count=20)
    root = fill(tmp_path / "pics", count=40)
    (root / "c").symlink_to(tmp_path / "elsewhere" / "c")
    for name, target in (("loop", root), ("up", tmp_path), ("itself", root / "a" / "itself")):
        (root / "a" / name).symlink_to(target)
    data, _ = load(root, tmp_path)
    assert data.class_names == ("a", "b", "c")
    assert sum(len(part.images) for part in (data.train, data.validation, data.test)) == 60


def test_a_link_to_nothing_among_pictures_is_named_or_left_out(tmp_path):
    root = fill(tmp_path / "pics")
    (root / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png can't be read"):
        load(root, tmp_path)
    _, lines = load(root, tmp_path, skip_damaged=True)
    assert f"1 damaged pictures are left out, such as {root / 'a' / 'gone.png'}" in lines


def test_a_class_that_may_not_be_read_is_an_error():
    with tempfile.TemporaryDirectory() as name:
        root = fill(Path(name) / "pics", classes=("a", "b", "c"))
        Path(name).chmod(0o755)
        (root / "b").chmod(0)
        with nobody(), pytest.raises(InputError, match=f"{root / 'b'} can't be read"):
            find_pictures(root, silent)
        (root / "b").chmod(0o755)


def test_pillow_decides_what_a_picture_is(tmp_path):
    """By the names that it knows, and by the beginning of files with other names."""
    root = tmp_path / "pics"
    for number in range(20):
        for kind, options in (("jfif", {"format": "JPEG"}), ("TIF", {}), ("", {"format": "PNG"})):
            save(root / (kind or "none") / f"{number}.{kind}".rstrip("."), random(6, 5), **options)
    (root / "none" / "list.txt").write_text("1 2 3")
    (root / "none" / "data.h5").write_text("no picture")
    data, lines = load(root, tmp_path)
    assert data.class_names == ("TIF", "jfif", "none")
    assert any(line.startswith("2 other files are passed over") for line in lines)
