"""Figure 4: all test images as points of a map. Arrays → a matplotlib Figure; points are f[N, 2]."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from jaxae.figures.map_view import (
    DIMENSIONS,
    View,
    aspect,
    draw_points,
    note_outside,
    robust_view,
    set_view,
)
from jaxae.figures.style import WIDTH, Figure, class_colours, point_colours, shorten, styled

FEW = 10
MAP_HEIGHT = 5.4


@styled
def latent_space(
    points: np.ndarray,
    labels: np.ndarray | None,
    *,
    names: Sequence[str],
    values: np.ndarray | None = None,
    values_label: str = "",
    dimensions: tuple[str, str] = DIMENSIONS,
    title: str,
) -> Figure:
    """All points, a colour a class, and each class alone. labels: int[N]; without them values, f[N], say the colours."""
    view, order = (
        robust_view(points),
        np.random.default_rng(0).permutation(len(points)),
    )  # no class lies on top
    columns = 5 if len(names) <= FEW else 10
    rows = math.ceil(len(names) / columns) if labels is not None else 0
    panels_height = rows * (0.24 + (WIDTH - 0.2) / columns * aspect(view))
    map_height = float(
        np.clip(1 + (WIDTH - 2.1) * aspect(view), 3.2, MAP_HEIGHT)
    )  # a wide map has no bands above and below
    figure = Figure(figsize=(WIDTH, map_height + panels_height), layout="constrained")
    above, *below = np.atleast_1d(
        np.asarray(
            figure.subfigures(2, height_ratios=[map_height, panels_height])
            if rows
            else figure.subfigures(1)
        )
    )
    whole = above.subplots()
    colours = point_colours(labels, len(points), classes=len(names))
    if labels is None and values is not None:
        colours = _colour_by(above, whole, values, values_label)
    dot = float(np.clip(25_000 / len(points), 2.5, 16))  # few points are seen as well as many
    draw_points(whole, points[order], colours[order], view, size=dot)
    set_view(whole, view, dimensions=dimensions)
    note_outside(whole, points, view)
    figure.suptitle(title)
    if labels is not None and rows:
        _name_classes(whole, points, labels, names)
        _draw_classes(
            below[0],
            points,
            labels,
            view,
            names=names,
            columns=columns,
            size=dot / 3 if columns == 5 else dot / 2,
        )
    return figure


def _colour_by(figure: SubFigure, axes: Axes, values: np.ndarray, label: str) -> np.ndarray:
    """The colour of each value, f[N, 4], and a bar that says which; the few greatest share one colour."""
    scale = matplotlib.colors.Normalize(values.min(), np.quantile(values, 0.99) or None)
    bar = matplotlib.cm.ScalarMappable(scale, "cividis")
    figure.colorbar(bar, ax=axes, label=label, shrink=0.8, extend="max")
    return np.asarray(bar.to_rgba(values))


def _name_classes(axes: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """A legend for a few classes; for many their numbers on the map, which the panels below explain."""
    colours = class_colours(len(names))
    if len(names) <= FEW:
        for colour, name in zip(colours, names, strict=True):
            axes.scatter([], [], s=25, color=colour, label=name)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        return
    outline: Any = [matplotlib.patheffects.withStroke(linewidth=1.5, foreground="white")]
    for label in np.unique(labels):
        middle = np.median(points[labels == label], axis=0)
        axes.text(
            middle[0],
            middle[1],
            str(label),
            ha="center",
            va="center",
            fontsize=7,
            path_effects=outline,
            zorder=5,
        )


def _draw_classes(
    figure: SubFigure,
    points: np.ndarray,
    labels: np.ndarray,
    view: View,
    *,
    names: Sequence[str],
    columns: int,
    size: float,
) -> None:
    panels = figure.subplots(math.ceil(len(names) / columns), columns, squeeze=False).ravel()
    near = points[~view.outside(points)]
    few = len(names) <= FEW
    for label, panel in enumerate(panels):
        if label >= len(names):
            panel.remove()
            continue
        panel.scatter(
            near[:, 0], near[:, 1], s=0.36 * size, color="0.87", linewidths=0, rasterized=True
        )
        mine = points[labels == label]
        colour = class_colours(len(names))[label]
        draw_points(panel, mine, np.tile(colour, (len(mine), 1)), view, size=size)
        set_view(panel, view, ticks=False)
        panel.set_title(
            names[label] if few else f"{label} {shorten(names[label], 9)}",
            pad=3,
            fontsize=8 if few else 6,
        )
