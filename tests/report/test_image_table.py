"""The table of all images, as other programs read it, and new pictures put through the model."""

import csv
import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from skimage import data as photographs

import jaxae
from jaxae.cli import denoise, encode
from jaxae.cli import map as map_command
from jaxae.cli.encode import NewPictures
from jaxae.cli.options import Source
from jaxae.data.dataset import Dataset, Split
from jaxae.errors import InputError, silent
from jaxae.figures.style import Figure
from jaxae.inference import Run
from jaxae.report import sheets
from jaxae.report.image_table import image_table, write_parquet
from tests.helpers import untrained_run

LONG = "a name of more than forty characters, with a comma"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return 60 crops of two photographs, of several sizes; one of them is there three times."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(60):
        name = ("astronaut", "coffee")[number % 2]
        photo = getattr(photographs, name)()
        height, width = rng.integers(30, 60, 2)
        row, column = rng.integers(0, 300, 2)
        path = root / name / f"{LONG} {number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photo[row : row + height, column : column + width]).save(path)
    whole = (root / "coffee" / f"{LONG} 1.png").read_bytes()
    for name in ("copy", "another copy"):
        (root / "coffee" / f"{name}.png").write_bytes(whole)
    return root


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory) -> tuple[Path, Run, Dataset]:
    """Return a run of one epoch on the folder, as 8×8."""
    place = tmp_path_factory.mktemp("runs") / "crops"
    cache = tmp_path_factory.mktemp("cache")
    dataset = jaxae.load_dataset(folder, image_size=8, data_dir=cache, report=silent)
    recipe = jaxae.Config(
        dataset=str(folder), image_size=(8, 8), epochs=1, batch_size=16, widths=(16, 4)
    )
    return place, jaxae.fit(recipe, dataset, run_dir=place, report=silent), dataset


@pytest.fixture
def source(trained, monkeypatch, tmp_path) -> Source:
    """Return the run as the commands are given it."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return Source(run=trained[0])


def named_files(split: Split) -> list[str]:
    assert split.files is not None
    return split.files.tolist()


def test_the_table_agrees_with_numpy(trained):
    _, run, dataset = trained
    table = image_table(run, dataset)
    images = np.concatenate([part.images for part in dataset.parts.values()])
    latents = jaxae.encode(run, images)
    places = np.stack([table.x, table.y], axis=1)
    np.testing.assert_allclose(places, latents, rtol=1e-5, atol=1e-5)  # other batches, other bits

    squared = np.square(jaxae.reconstruct(run, images) - images / np.float32(255))
    np.testing.assert_allclose(table.error, squared.mean(axis=(1, 2, 3)), rtol=1e-5)
    assert sorted(table.anomaly_rank) == list(range(1, 63))
    assert table.anomaly_rank[np.argmax(table.error)] == 1
    assert table.anomaly_rank[np.argmin(table.error)] == 62

    same = (images[:, None] == images[None]).all(axis=(2, 3, 4))
    distance = np.where(same, np.inf, cdist(latents, latents))
    for number, (file, nearest, equal) in enumerate(
        zip(table.file, table.nearest_file, table.equal_to, strict=True)
    ):
        found = table.file.index(nearest)
        assert distance[number, found] == pytest.approx(distance[number].min(), abs=1e-5)
        others = {table.file[k] for k in np.flatnonzero(same[number])} - {file}
        assert equal in others if others else equal == ""
    assert sum(map(bool, table.equal_to)) == 3
    assert table.split == sorted(table.split, key=["train", "validation", "test"].index)
    assert all(file.startswith(label) for file, label in zip(table.file, table.label, strict=True))


def test_images_without_files_and_labels_have_their_numbers(dataset):
    bare = dataset._replace(
        class_names=(),
        **{name: part.take([0, 0])._replace(labels=None) for name, part in dataset.parts.items()},
    )
    table = image_table(untrained_run(widths=(8, 4)), bare)
    assert table.file[-2:] == ["test 0", "test 1"]
    assert set(table.label) == {""}
    assert table.equal_to[-2:] == ["test 1", "test 0"]


def test_other_programs_read_the_table(source, trained):
    """The CSV and the Parquet file hold the same, names with commas included."""
    map_command.main(source)
    table = image_table(*trained[1:])
    read = pyarrow.csv.read_csv(source.run / "map.csv").to_pydict()
    columns = pyarrow.parquet.read_table(source.run / "map.parquet").to_pydict()
    assert list(read) == list(columns) == list(table._fields)
    for name, values in table._asdict().items():
        assert columns[name] == list(values)
        if np.asarray(values).dtype.kind == "f":
            np.testing.assert_allclose(read[name], values, rtol=1e-5)
        else:
            assert read[name] == list(values)

    odd = source.run / os.fsdecode(b"caf\xe9")  # pyarrow itself takes no such name
    write_parquet(odd, table)
    assert odd.read_bytes() == (source.run / "map.parquet").read_bytes()


def test_any_pictures_are_encoded_as_those_of_the_training_are(trained, folder, capsys):
    place, run, dataset = trained
    encode.main(NewPictures(run=place, pictures=(folder,)))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    told = {row["file"]: [float(row["latent_1"]), float(row["latent_2"])] for row in rows}
    table = image_table(run, dataset)
    for file, x, y in zip(table.file, table.x, table.y, strict=True):
        np.testing.assert_allclose(told[file], [x, y], rtol=1e-4, atol=1e-5)

    one = jaxae.read_pictures(run, folder / "coffee" / "copy.png", report=silent)
    assert named_files(one) == ["copy.png"]
    assert one.images.shape == (1, 8, 8, 3)


def test_grey_pictures_large_ones_and_arrays_are_taken_too(trained, tmp_path):
    run = trained[1]
    Image.fromarray(photographs.camera()).save(tmp_path / "grey.png")
    (tmp_path / "below").mkdir()
    Image.fromarray(photographs.astronaut()).save(tmp_path / "below" / "large.jpg")
    found = jaxae.read_pictures(run, tmp_path, report=silent)
    assert named_files(found) == ["below/large.jpg", "grey.png"]
    assert (found.images[1] == found.images[1][..., :1]).all()
    named = jaxae.read_pictures(run, tmp_path / "grey.png", tmp_path / "below" / "large.jpg")
    np.testing.assert_array_equal(named.images, found.images[::-1])
    assert named_files(named) == ["grey.png", "below/large.jpg"]

    np.savez(tmp_path / "some.npz", train_images=found.images, test_images=found.images[:1])
    arrays = jaxae.read_pictures(run, tmp_path / "some.npz", report=silent)
    assert named_files(arrays) == ["train 0", "train 1", "test 0"]
    grey = untrained_run(image_shape=(8, 8, 1))
    assert jaxae.read_pictures(grey, tmp_path, report=silent).images.shape == (2, 8, 8, 1)


def test_denoised_pictures_have_the_size_of_what_they_show(trained, tmp_path):
    place, run, _ = trained
    wide = np.full((20, 60, 3), 90, np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.jpg")
    out = tmp_path / "not there" / "yet"
    new = NewPictures(run=place, pictures=(tmp_path / "wide.jpg",))
    denoise.main(new, out=out)
    written = np.asarray(Image.open(out / "wide.jpg.png"))
    assert written.shape == (20, 20, 3)
    small = jaxae.reconstruct(run, jaxae.read_pictures(run, tmp_path / "wide.jpg").images)[0]
    assert written.mean() / 255 == pytest.approx(small.mean(), abs=0.02)

    with pytest.raises(InputError, match=r"wide\.jpg\.png is there already"):
        denoise.main(new, out=out)
    denoise.main(new, out=tmp_path / "noisy", noise=0.5)
    noisy = np.asarray(Image.open(tmp_path / "noisy" / "wide.jpg.png"))
    assert np.abs(noisy.astype(int) - written).max() > 2


def test_images_of_two_channels_are_no_pictures(tmp_path, monkeypatch):
    images = Split(np.zeros((1, 8, 8, 2), np.uint8), files=np.array(["0"]))
    run = untrained_run(image_shape=(8, 8, 2), widths=(4,))
    monkeypatch.setattr(NewPictures, "read", lambda new: (run, images))
    with pytest.raises(InputError, match="of 2 channels, which are no pictures"):
        denoise.main(NewPictures(run=tmp_path, pictures=(tmp_path,)), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "nowhere can't be read"),
        ("empty", "holds no pictures"),
        ("text.png", r"text\.png can't be read"),
        ("other.npz", r"images of \[5, 5, 1\], and the model takes \[8, 8, 3\]"),
    ],
)
def test_what_is_no_picture_is_one_line(place, words, trained, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("hello")
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 5, 5), np.uint8))
    with pytest.raises(InputError, match=words) as caught:
        jaxae.read_pictures(trained[1], tmp_path / place, report=silent)
    assert "\n" not in str(caught.value)


def test_the_sheets_show_who_is_alone_who_is_alike_and_what_is_drawn_badly(trained, monkeypatch):
    _, run, dataset = trained
    drawn: list[dict] = []

    def draw(above: np.ndarray, below: np.ndarray, **words: Any) -> Figure:
        drawn.append({"above": above, "below": below, **words})
        return Figure()

    monkeypatch.setattr(sheets, "draw_contact_sheet", draw)
    page = sheets.by_name(SimpleNamespace(run=run, dataset=dataset))  # type: ignore[arg-type]
    strangest, alike, quality = drawn
    table = image_table(run, dataset)
    images = dataset.together().images / np.float32(255)

    distance = cdist(np.stack([table.x, table.y], 1), np.stack([table.x, table.y], 1))
    distance[distance == 0] = np.inf
    np.testing.assert_array_equal(strangest["above"][0], images[distance.min(axis=1).argmax()])

    assert alike["notes"][:3] == ["equal", "equal", alike["notes"][2]]
    assert alike["notes"][2].startswith("MSE")
    np.testing.assert_array_equal(alike["above"][:2], alike["below"][:2])

    np.testing.assert_array_equal(quality["above"][0], images[np.argmin(table.error)])
    np.testing.assert_array_equal(quality["above"][8], images[np.argmax(table.error)])
    np.testing.assert_allclose(
        quality["below"][8], jaxae.reconstruct(run, quality["above"][8:9])[0]
    )
    assert table.file[np.argmax(table.error)] in page
