"""Draw maps side by side, with their scores: runs, and PCA and UMAP of the same images."""

import importlib.util
import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from jaxae.cli import command, messages
from jaxae.core.images import to_unit
from jaxae.data.dataset import REFERENCES, Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import geometry, knn_predict
from jaxae.evaluation.maps import evenness
from jaxae.evaluation.tables import markdown
from jaxae.figures.map_view import add_class_legend, draw_points, robust_view, set_view
from jaxae.figures.style import WIDTH, Figure, point_colours, styled
from jaxae.inference import encode, load

COLUMNS = ("5-NN", "trust k=5", "ℓ-Trust", "ℓ-Cont", "evenness")


class Map(NamedTuple):
    """A map of the test images."""

    name: str
    train: np.ndarray
    """f[N, 2]: where the training images are."""
    test: np.ndarray
    """f[M, 2]."""


def main(
    runs: tuple[Path, ...],
    rivals: tuple[str, ...] = ("PCA", "UMAP"),
    figure: Path | None = None,
) -> None:
    """Score maps of the test images, with the training images as neighbours, and draw them.

    Args:
        runs: Run directories, whose names are those of their maps.
        rivals: PCA, UMAP; with their own defaults and seed 0.
        figure: A file for the picture.
    """
    if unknown := set(rivals) - {"PCA", "UMAP"}:
        raise InputError(f"{unknown.pop()} is not a rival: there are PCA, UMAP")
    if "UMAP" in rivals and importlib.util.find_spec("umap") is None:
        raise InputError("umap-learn is not installed: pip install -e '.[benchmark]' brings it")

    loaded = [load(path) for path in runs]
    dataset = load_dataset(loaded[0].config.dataset, report=messages.say)
    train, test = dataset.train.at_most(REFERENCES), dataset.test
    dataset = dataset._replace(train=train)

    maps = [
        Map(path.absolute().name, encode(run, train.images), encode(run, test.images))
        for path, run in zip(runs, loaded, strict=True)
    ]
    maps += [map_of_rival(name, dataset) for name in rivals]

    scores = [score(each, dataset) for each in maps]
    rows = [
        [each.name, *(f"{value:.4f}" for value in found)]
        for each, found in zip(maps, scores, strict=True)
    ]
    print(markdown([f"{dataset.title}, {len(test.images):,} test images", *COLUMNS], rows))

    if figure:
        draw(maps, scores, dataset).savefig(figure, dpi=150)
        messages.say(f"Wrote {figure}")


def map_of_rival(name: str, dataset: Dataset) -> Map:
    """Fit PCA or UMAP on the training images, and place the test images."""
    train, test = (
        to_unit(part.images).reshape(len(part.images), -1) for part in (dataset.train, dataset.test)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        if name == "PCA":
            pca = PCA(2, random_state=0).fit(train)
            return Map(name, pca.transform(train), pca.transform(test))
        umap = importlib.import_module("umap").UMAP(random_state=0).fit(train)
        return Map(name, umap.embedding_, umap.transform(test))


def score(each: Map, dataset: Dataset) -> tuple[float, ...]:
    """Return the values of COLUMNS."""
    labels = dataset.train.labels
    assert labels is not None
    found = knn_predict(each.train, labels, each.test, k=5)
    kept = geometry(dataset.test.images, each.test)
    right = float(np.mean(found == dataset.test.labels))
    return right, kept.trust_k5, kept.l_trust, kept.l_cont, evenness(each.test)


@styled
def draw(maps: list[Map], scores: list[tuple[float, ...]], dataset: Dataset) -> Figure:
    """Draw the test images on each map, two in a row, with one legend."""
    rows = math.ceil(len(maps) / 2)
    figure = Figure(figsize=(WIDTH, 0.6 + 3.9 * rows), layout="constrained")
    figure.suptitle(f"Test images of {dataset.title}")
    panels = figure.subplots(rows, 2, squeeze=False).ravel()

    colours = point_colours(dataset.test.labels, len(dataset.test.images), classes=10)
    order = np.random.default_rng(0).permutation(len(colours))  # no class on top of the others
    for axes, each, found in zip(panels, maps, scores, strict=False):
        points = each.test[order]
        view = robust_view(points)
        draw_points(axes, points, colours[order], view, size=1.2)
        set_view(axes, view, ticks=False)
        knn, _, trust, continuity, even = found
        axes.set_title(
            f"{each.name}\n5-NN {knn:.3f}, ℓ-Trust {trust:.3f}, ℓ-Cont {continuity:.3f}, "
            f"evenness {even:.2f}"
        )
    for axes in panels[len(maps) :]:
        axes.remove()
    add_class_legend(figure, dataset.class_names)
    return figure


if __name__ == "__main__":
    command.run(main)
