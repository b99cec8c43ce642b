"""Each row of "Odd inputs" in docs/data.md: the input is made, and is what the row says it is."""

import os
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits

import jaxae
from jaxae.build import build_model
from jaxae.config import Config
from jaxae.data.dataset import Dataset, Split, check_data
from jaxae.errors import InputError
from jaxae.inference import Run
from jaxae.train.loop import settle
from jaxae.train.population import check
from tests import ROOT
from tests.data.test_image_folder import bomb, png16, save
from tests.runs.test_directory import nobody

RNG = np.random.default_rng(0)
GREYS = RNG.integers(0, 256, (40, 6, 5), np.uint8)
COLOURS = RNG.integers(0, 256, (40, 6, 5, 3), np.uint8)

ORDINARY = (
    r"Reading |They were decoded before|They are kept in|Its (splits are|validation split is) made"
)
"""What is said of every data set."""

ROWS: dict[str, Callable[[Path], str]] = {}
"""For each row a function that makes its input at a path, and returns what it has turned out."""


def table() -> dict[str, str]:
    """Return the second cell of each row of the docs by the first one."""
    text = (ROOT / "docs" / "data.md").read_text().partition("### Odd inputs\n")[2]
    text = text.partition("\n### ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:3]] for line in lines]
    return {first: second for first, second in cells if second not in ("is", "are", "---")}


def row(cell: str) -> Callable[[Callable[[Path], str]], Callable[[Path], str]]:
    def keep(function: Callable[[Path], str]) -> Callable[[Path], str]:
        ROWS[cell] = function
        return function

    return keep


def test_every_row_is_tried():
    assert list(table()) == list(ROWS)


@pytest.mark.parametrize("cell", ROWS)
def test_a_row(cell, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "cache"))
    assert ROWS[cell](tmp_path / "data") == table()[cell]


def load(path: Path, **options) -> tuple[Dataset, list[str]]:
    """Return the data set, which may be trained on, and what was said about it."""
    lines: list[str] = []
    dataset = jaxae.load_dataset(path, report=lines.append, **options)
    check([settle(Config(dataset=str(path), batch_size=8), dataset)], dataset)
    return dataset, [line for line in lines if not re.match(ORDINARY, line)]


def all_images(dataset: Dataset) -> list[np.ndarray]:
    images = [*dataset.train.images, *dataset.validation.images, *dataset.test.images]
    return [image[..., 0] if image.shape[-1] == 1 else image for image in images]


def check_images(dataset: Dataset, expected: Iterable[np.ndarray]) -> None:
    found = sorted((image.shape, image.tobytes()) for image in all_images(dataset))
    wanted = [np.asarray(image).astype(np.uint8) for image in expected]
    assert found == sorted((image.shape, image.tobytes()) for image in wanted)


def read(path: Path, images: Iterable[np.ndarray], *, classes: tuple[str, ...] = ()) -> str:
    """Assert that these images are read, and that nothing is said."""
    dataset, said = load(path)
    check_images(dataset, images)
    assert dataset.class_names == classes
    assert not said
    return "read"


def converted(path: Path, images: Iterable[np.ndarray]) -> str:
    read(path, images)
    return "converted"


def told(path: Path, words: str, images: Iterable[np.ndarray], **options) -> str:
    """Assert that these images are read and that each line has the words, also the next time."""
    for _ in range(2):
        dataset, said = load(path, **options)
        check_images(dataset, images)
        assert said
        assert all(re.search(words, line) for line in said)
    return "told"


def refused(path: Path, words: str) -> str:
    with pytest.raises(InputError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return "refused"


def write(root: Path, images: Iterable[np.ndarray], *, suffix: str = "png") -> Path:
    for number, image in enumerate(images):
        save(root / f"{number:03d}.{suffix}", image)
    return root


# Folders


@row("splits called `training`, `val`, `valid`, `dev`, `testing` or `eval`, in any case")
def _(root):
    for names in (("training", "Val", "TESTING"), ("Train", "valid", "eval"), ("train", "dev")):
        place = root.with_name(names[1])
        for number, name in enumerate((*names, "test")[:3]):
            write(place / name, GREYS[10 * number : 10 * number + 10])
        done = read(place, GREYS[:30])
        np.testing.assert_array_equal(
            sorted(image.tobytes() for image in load(place)[0].test.images),
            sorted(image.tobytes() for image in GREYS[20:30]),
        )
    return done


@row("splits next to another folder with pictures")
def _(root):
    for name in ("train", "test", "more"):
        write(root / name, GREYS)
    return refused(root, "holds the splits test, train, and more")


@row("two folders for one split")
def _(root):
    for name in ("train", "test", "eval"):
        write(root / name, GREYS)
    return refused(root, "name one folder for each split")


@row("pictures next to folders of classes")
def _(root):
    for name in ("a", "b", "."):
        write(root / name, GREYS)
    return refused(root, "000.png in none")


@row("no pictures")
def _(root):
    (root / "empty").mkdir(parents=True)
    return refused(root, "holds no pictures")


@row("empty folders, `__MACOSX` and other systems' folders")
def _(root):
    write(root / "a", GREYS[:20])
    write(root / "b", GREYS[20:])
    write(root / "__MACOSX", GREYS[:3])
    (root / "empty").mkdir()
    return told(root, "it is a system's|it holds no pictures", GREYS)


@row("other files than pictures")
def _(root):
    (write(root, GREYS) / "notes.txt").write_text("hello")
    return told(root, r"1 other files are passed over, such as .*notes\.txt", GREYS)


@row("hidden files and folders")
def _(root):
    write(root, GREYS)
    save(root / ".thumbnail.png", GREYS[0])
    save(root / ".git" / "logo.png", GREYS[0])
    read(root, GREYS)
    return "skipped"


@row("one folder around all classes or splits, as archives make it")
def _(root):
    write(root / "archive" / "data" / "a", GREYS[:20])
    write(root / "archive" / "data" / "b", GREYS[20:])
    assert load(root)[0].class_names == ("a", "b")
    return told(root, "All pictures are in .*/archive", GREYS)


@row("folders that are links")
def _(root):
    write(root / "a", GREYS[:20])
    (root / "b").symlink_to(write(root.with_name("elsewhere"), GREYS[20:]))
    (root / "a" / "loop").symlink_to(root)
    return read(root, GREYS, classes=("a", "b"))


@row("a folder that may not be read")
def _(_):
    with tempfile.TemporaryDirectory() as name:  # pytest's own is closed to others
        root = Path(name) / "data"
        write(root / "a", GREYS)
        write(root / "b", GREYS)
        Path(name).chmod(0o755)
        (root / "b").chmod(0)
        try:
            with nobody():
                return refused(root, "b can't be read")
        finally:
            (root / "b").chmod(0o755)


@row("classes named by whole numbers")
def _(root):
    for number in range(12):
        write(root / str(number), GREYS[3 * number : 3 * number + 3])
    return read(root, GREYS[:36], classes=tuple(map(str, range(12))))


@row(r"classes whose names hold `$`, `\|` or bytes that are not UTF-8")
def _(root):
    for number, name in enumerate((b"$5", b"a|b", b"caf\xe9")):
        place = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        write(place, GREYS[10 * number : 10 * number + 10])
    return read(root, GREYS[:30], classes=("$5", "a|b", r"caf\xe9"))


@row("classes whose names differ only in how the system writes an accent")
def _(root):
    write(root / "caf\u00e9", GREYS[:10])
    write(root / "cafe\u0301", GREYS[10:20])
    write(root / "bar", GREYS[20:])
    return read(root, GREYS, classes=("bar", "caf\u00e9"))


@row("one class alone")
def _(root):
    write(root / "only", GREYS)
    return told(root, "taken as images without labels", GREYS)


@row("a picture that is renamed")
def _(root):
    before, _ = load(write(root, GREYS))
    (root / "007.png").rename(root / "zebra.png")
    assert load(root)[0].digest == before.digest
    return told(root, "1 new, such as zebra.png; 1 gone, such as 007.png", GREYS)


@row("equal pictures")
def _(root):
    images = [*GREYS, *GREYS]
    dataset, _ = load(write(root, images))
    parts = [
        {image.tobytes() for image in part.images}
        for part in (dataset.train, dataset.validation, dataset.test)
    ]
    assert sum(map(len, parts)) == len(GREYS)
    return read(root, images)


@row("only one picture, many times")
def _(root):
    return refused(write(root, [GREYS[0]] * 40), "all are the same")


@row("pictures of several sizes")
def _(root):
    save(write(root, GREYS) / "large.png", np.full((24, 20), 77, np.uint8))
    small = np.full((6, 5), 77, np.uint8)
    return told(root, "2 sizes from 6×5 to 24×20 .* taken as 6×5", [*GREYS, small])


@row("grey and colour pictures")
def _(root):
    write(root / "grey", GREYS)
    write(root / "colour", COLOURS)
    as_colour = np.repeat(GREYS[..., None], 3, axis=3)
    return told(root, "all are taken as RGB", [*COLOURS, *as_colour])


# Pictures


@row("has another suffix, such as `.jfif`, or none")
def _(root):
    write(root, GREYS[:39])
    Image.fromarray(GREYS[39]).save(root / "picture", format="PNG")
    flat = np.full((6, 5), 77, np.uint8)  # which JPEG keeps
    Image.fromarray(flat).save(root / "photo.jfif", format="JPEG")
    return read(root, [*GREYS, flat])


@row("is damaged, or a link to nothing")
def _(root):
    write(root, GREYS)
    cut = root / "cut.png"
    cut.write_bytes((root / "000.png").read_bytes()[:50])
    refused(root, r"cut\.png can't be read")
    told(root, "1 damaged pictures are left out", GREYS, skip_damaged=True)
    cut.unlink()
    (root / "gone.png").symlink_to(root / "nowhere.png")
    return refused(root, r"gone\.png can't be read")


@row("has more than 50 million pixels")
def _(root):
    bomb(write(root, GREYS) / "bomb.png")
    return refused(root, r"bomb\.png can't be read")


@row("EXIF says to turn")
def _(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # by 90 degrees to the right
    save(write(root, GREYS) / "turned.png", np.rot90(GREYS[0]), exif=exif)
    return converted(root, [*GREYS, GREYS[0]])


@row("has one bit a pixel")
def _(root):
    return converted(write(root, GREYS > 99), np.where(GREYS > 99, 255, 0))


@row("has a palette of greys, as a grey GIF")
def _(root):
    Image.fromarray(GREYS[0]).quantize(64).save(write(root, GREYS[1:], suffix="gif") / "0.png")
    return converted(root, GREYS)


@row("has a palette of colours, or is CMYK")
def _(root):
    for number, image in enumerate(COLOURS):
        picture = Image.fromarray(image)
        if number % 2:
            save(root / f"{number}.png", image)
            picture.quantize(30).save(root / f"{number}.png")
        else:
            root.mkdir(exist_ok=True)
            picture.convert("CMYK").save(root / f"{number}.tif")
    return converted(root, COLOURS)


@row("has transparent pixels")
def _(root):
    alpha = np.where(GREYS > 99, 255, 0).astype(np.uint8)
    pictures = np.concatenate([COLOURS, alpha[..., None]], axis=3)
    on_black = np.where(alpha[..., None] == 255, COLOURS, 0)
    words = r"Transparent pictures are shown on black: 40, such as .*\.png"
    return told(write(root, pictures), words, on_black)


@row("is nearly black where it is not transparent, as icons are")
def _(root):
    alpha = np.where(GREYS > 99, 255, 0).astype(np.uint8)
    icons = np.concatenate([COLOURS // 8, alpha[..., None]], axis=3)
    on_white = np.where(alpha[..., None] == 255, COLOURS // 8, 255)
    return told(write(root, icons), "on white where black would hide them: 40,", on_white)


@row("has several pages or frames (TIFF, GIF, WebP, APNG)")
def _(root):
    root.mkdir()
    for number in range(len(GREYS)):
        pages = [Image.fromarray(GREYS[(number + k) % 40]) for k in range(3)]
        kind = ("tif", "gif", "png")[number % 3]
        pages[0].save(root / f"{number}.{kind}", save_all=True, append_images=pages[1:])
    return told(root, "several pages or frames the first is taken: 40,", GREYS)


@row("is grey and has 16 bits")
def _(root):
    values = RNG.integers(0, 65536, GREYS.shape, np.uint16)
    return converted(write(root, values, suffix="tif"), np.rint(values / 257))


@row("is grey and has 8, 10, 12 or 14 bits in 16, as from a microscope")
def _(root):
    for bits, largest in ((8, 255), (10, 256), (10, 1023), (12, 1024), (14, 16383)):
        values = RNG.integers(0, largest, GREYS.shape, np.uint16) // 2  # most pictures are darker
        values[3, 2, 1] = largest
        place = write(root.with_name(f"{largest}"), values, suffix="tif")
        done = told(place, f"taken as {bits} bits", np.rint(values * (255 / (2**bits - 1))))
    return done


@row("has colours of 16 bits")
def _(root):
    root.mkdir()
    values = RNG.integers(0, 65536, COLOURS.shape, np.uint16)
    for number, each in enumerate(values):
        png16(root / f"{number}.png", each)
    dark = root.with_name("12 bits")
    dark.mkdir()
    for number, each in enumerate(values):
        png16(dark / f"{number}.png", each // 16)
    refused(dark, "brightest training pixel of 12 bits is 15 of 255")
    return converted(root, values // 256)


@row("has whole numbers that are negative or beyond 16 bits")
def _(root):
    for value in (-1, 65536):
        values = GREYS.astype(np.int32)
        values[3, 2, 1] = value
        done = refused(
            write(root.with_name(f"{value}"), values, suffix="tif"), f"{value}.* 16 bits"
        )
    return done


@row("has floats in [0, 1]")
def _(root):
    return converted(write(root, (GREYS / 255).astype(np.float32), suffix="tif"), GREYS)


@row("has floats of another range, such as 0 to 255")
def _(root):
    words = r"\.tif have values from \d+ to \d+: give floats in \[0, 1\]"
    return refused(write(root, GREYS.astype(np.float32), suffix="tif"), words)


# Arrays


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
    return path.with_suffix(".npz")


@row("has 8, 10, 12 or 14 bits in uint16")
def _(path):
    values = RNG.integers(0, 4096, GREYS.shape, np.uint16)
    values[:20] //= 8
    path = saved(path, train_images=values[:20], test_images=values[20:])
    return told(path, "taken as 12 bits", np.rint(values * (255 / 4095)))


@row("has whole numbers of another type")
def _(path):
    return refused(saved(path, images=GREYS.astype(int)), "images are int64: give uint8")


@row("has booleans")
def _(path):
    return converted(saved(path, images=GREYS > 99), np.where(GREYS > 99, 255, 0))


@row("has floats in [0, 1], or outside by 0.00001 at most")
def _(path):
    return converted(saved(path, images=GREYS / 255 * (1 + 2e-9) - 1e-9), GREYS)


@row("has floats further outside, or NaN")
def _(path):
    refused(saved(path, images=np.where(GREYS > 250, np.nan, 0.5)), "values from nan to nan")
    return refused(saved(path, images=GREYS / 255 * 1.001), "have values from 0 to 1.001")


@row("has its channels first, `[N, 3, height, width]`")
def _(path):
    images = np.moveaxis(COLOURS, -1, 1)
    words = r"\[40, 3, 6, 5\], with channels first: give \[N, height, width, channels\]"

    config = Config(dataset="x", image_shape=(6, 5, 3), widths=(4,))
    run = Run(config, build_model(config), {}, 1)
    by_hand = Dataset("x", "x", "", Split(images), Split(images), Split(images))
    for act in (
        lambda: jaxae.encode(run, images),
        lambda: jaxae.reconstruct(run, images / 255),
        lambda: jaxae.corrupt(images, std=0.1),
        lambda: jaxae.fit(config, by_hand),
        lambda: check_data(config, by_hand),  # evaluate, score and the others ask this first
    ):
        with pytest.raises(InputError, match=words):
            act()
    return refused(saved(path, images=images), words)


@row("holds Python objects")
def _(path):
    return refused(saved(path, images=np.array([{}])), "jaxae loads no Python objects")


@row("is followed by another one in an `.npy` file")
def _(path):
    with path.open("wb") as file:
        np.save(file, GREYS)
        np.save(file, np.arange(40) % 2)
    return refused(path, "more follows the first array")


@row("comes with `class_names` of which two are the same")
def _(path):
    labels = np.arange(40) % 3
    place = saved(path, images=GREYS, labels=labels, class_names=np.array(["cat", "dog", "cat"]))
    return refused(place, "has 2 classes with the name cat: give each its own")


# The brightest pixel


@row("is 16 of 255 or less, such as 0 and 1, or 0 to 16")
def _(path):
    for largest in (1, 16):
        images = GREYS % (largest + 1)
        done = refused(saved(path, images=images), f"training pixel of data is {largest} of 255")
    return done


@row("is 17 of 255 or more")
def _(path):
    return read(saved(path, images=GREYS % 18), GREYS % 18)


# The estimator

DIGITS = load_digits().data[:300]  # f64 from 0 to 16
SMALL = jaxae.DenoisingAutoencoder(epochs=1, widths=(4,), random_state=0)


@row("are uint8 of 16 or less")
def _(_):
    low = clone(SMALL).fit(DIGITS.astype(np.uint8))
    number = clone(SMALL).fit(DIGITS)
    rows = DIGITS[:9]
    np.testing.assert_allclose(low.transform(rows), number.transform(rows), rtol=1e-3, atol=1e-4)
    return "converted"


@row("reach beyond the range of `fit` by more than its width")
def _(_):
    model = clone(SMALL).fit(DIGITS / 16)
    model.transform(DIGITS / 16 * 1.9)
    with pytest.warns(UserWarning, match="values from 0 to 255, and fit was given 0 to 1: give X"):
        model.transform(DIGITS * (255 / 16))
    with pytest.warns(UserWarning, match="values from -2 to -1, and fit"):
        model.score(DIGITS / 16 - 2)
    return "warned"


@row("span less than a hundredth of it, as bytes divided by 255 do")
def _(_):
    pixels = (DIGITS * (255 / 16)).astype(np.uint8)
    model = clone(SMALL).fit(pixels)
    model.transform(np.zeros((3, 64)))  # empty rows are no other unit, nor are dark ones
    model.transform(pixels // 50)
    with pytest.warns(UserWarning, match="values from 0 to 1, and fit was given 0 to 255: give X"):
        model.denoise(pixels / 255)
    return "warned"
