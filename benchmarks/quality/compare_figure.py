"""The picture of compare.py: what a map keeps, against the error of its reconstructions."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxae.evaluation.records import LatentScores
from jaxae.figures.style import TEN_COLOURS, WIDTH, Figure, styled

PANELS = {"l_cont": "ℓ-Cont", "l_trust": "ℓ-Trust", "knn_5": "5-NN accuracy"}
"""Fields of LatentScores, and what an axis calls them."""


@styled
def draw(
    scores: Mapping[str, Sequence[LatentScores]],
    *,
    published: Mapping[tuple[str, str], LatentScores],
    title: str,
) -> Figure:
    """Draw continuity, trustworthiness and 5-NN against the MSE of clean test images.

    Arguments:
        scores: The runs' scores, by preset; each run is a dot.
        published: Scores of the same data by name and source; each autoencoder is a cross.
        title: The data.
    """
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    figure.suptitle(f"Test images of {title}: better is up and to the left")
    for axes, field in zip(figure.subplots(1, len(PANELS), sharex=True), PANELS, strict=True):
        _draw_runs(axes, field, scores)
        _draw_published(axes, field, published)
        axes.set(xlabel="MSE, clean images", ylabel=PANELS[field])
        axes.locator_params(axis="x", nbins=4)
        axes.grid(alpha=0.3)

    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_runs(axes: Axes, field: str, scores: Mapping[str, Sequence[LatentScores]]) -> None:
    for colour, marker, (preset, rows) in zip(TEN_COLOURS, "os^Dv", scores.items(), strict=False):
        x = np.array([row.mse for row in rows], float)
        y = [getattr(row, field) for row in rows]
        axes.plot(x, y, marker, color=colour, alpha=0.8, label=f"jaxae, {preset}")


def _draw_published(
    axes: Axes, field: str, published: Mapping[tuple[str, str], LatentScores]
) -> None:
    names = [key for key, row in published.items() if row.mse is not None and key[0] != "PCA"]
    for marker, key in zip("x+1234", names, strict=False):
        row = published[key]
        point = np.array([row.mse, getattr(row, field)], float)  # NaN if it was not measured
        axes.plot(*point, marker, color="0.35", ms=7, label=key[0])
