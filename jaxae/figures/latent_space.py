"""Figure 4: all images as points of a map, or as thumbnails. From arrays to a Figure."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from jaxae.figures.map_view import (
    DIMENSIONS,
    FEW,
    FEW_NAME_LENGTH,
    NAME_LENGTH,
    View,
    aspect,
    draw_points,
    note_outside,
    robust_view,
    set_view,
)
from jaxae.figures.style import (
    WIDTH,
    Figure,
    class_colours,
    picture,
    point_colours,
    short_names,
    styled,
)

MAP_HEIGHT = 5.4
THUMBNAIL = 0.26
"""Longer side of an image on the map, in inches."""
NAME_SIZE = 6
"""Size of the letters of one of many names, in points."""
NAMES_A_COLUMN = 30
MOST_NAMED = 60
"""Most classes that a legend next to the map has room for."""
OUTLINE: Any = [matplotlib.patheffects.withStroke(linewidth=1.5, foreground="white")]


@styled
def draw_latent_space(
    points: np.ndarray,
    labels: np.ndarray | None,
    *,
    names: Sequence[str],
    values: np.ndarray | None = None,
    values_label: str = "",
    trained_on: int = 0,
    thumbnails: np.ndarray | None = None,
    dimensions: tuple[str, str] = DIMENSIONS,
    title: str,
) -> Figure:
    """Draw all points f[N, 2] on one map, a colour a class, and each class on a map of its own.

    labels: int[N]. Without labels there is one map, and values, f[N], give the colours.
    trained_on: if not 0, the points after so many were not trained on and have a ring.
    thumbnails: u8[N, H, W, C], the images, which are drawn where there is room.
    """
    view = robust_view(points)
    few = len(names) <= FEW
    columns = min((5, 4) if few else (10, 9), key=lambda each: len(names) % each == 1)
    rows = math.ceil(len(names) / columns) if labels is not None else 0

    # A wide map has no empty bands above and below.
    map_height = float(np.clip(1 + (WIDTH - 2.1) * aspect(view), 3.2, MAP_HEIGHT))
    panels_height = rows * (0.24 + (WIDTH - 0.2) / columns * aspect(view))
    figure = Figure(figsize=(WIDTH, map_height + panels_height), layout="constrained")
    figure.suptitle(title)

    heights = [map_height, panels_height] if rows else [map_height]
    parts = figure.subfigures(len(heights), height_ratios=heights, squeeze=False)
    above = parts[0, 0]
    whole = above.subplots()

    colours = point_colours(labels, len(points), classes=len(names))
    if labels is None and values is not None:
        colours = _colour_by(above, whole, values, values_label)

    # Points are drawn in random order, so that no class lies on top of the others.
    order = np.random.default_rng(0).permutation(len(points))
    dot = float(np.clip(25_000 / len(points), 2.5, 16))
    draw_points(whole, points[order], colours[order], view, size=dot)
    set_view(whole, view, dimensions=dimensions)
    note_outside(whole, points, view)
    height = map_height - 1.2
    inches = np.array([height / aspect(view), height]) / (view.high - view.low)
    shown = np.zeros(len(points), bool)
    if thumbnails is not None:
        shown = _places_for_images(points, thumbnails, view, order=order, inches=inches)
        _draw_thumbnails(whole, points[shown], thumbnails[shown], colours[shown])
    if trained_on:
        held_out = (np.arange(len(points)) >= trained_on) & ~view.outside(points)
        _draw_rings(whole, points[held_out & ~shown], diameter=np.sqrt(1.6 * dot + 2))
        _draw_rings(whole, points[held_out & shown], diameter=72 * 1.25 * THUMBNAIL)

    if labels is not None and rows:
        _name_classes(whole, points, labels, names, inches=inches)
        panels = parts[1, 0].subplots(rows, columns, squeeze=False)
        size = dot / 3 if few else dot / 2
        _draw_classes(panels, points, labels, view, names=names, size=size)

    return figure


def _draw_rings(axes: Axes, points: np.ndarray, *, diameter: float) -> None:
    """Draw a ring around each point. diameter: in points, as of letters."""
    ring: Any = {"facecolors": "none", "edgecolors": "0.1", "linewidths": 0.5, "zorder": 2}
    axes.scatter(points[:, 0], points[:, 1], s=diameter**2, **ring)


def _places_for_images(
    points: np.ndarray, images: np.ndarray, view: View, *, order: np.ndarray, inches: np.ndarray
) -> np.ndarray:
    """Return which images can be drawn at their points without hiding one another, bool[N].

    order: which goes first, int[N]. inches: what a unit of the map takes, f[2].
    """
    height, width = images.shape[1:3]
    room = np.array([width, height]) * THUMBNAIL / max(height, width) + 0.05
    inside = ~view.outside(points)
    chosen = np.zeros(len(points), bool)

    for number in order[inside[order]]:
        away = np.abs(points[chosen] - points[number]) * inches
        chosen[number] = not (away < room).all(axis=1).any()
    return chosen


def _draw_thumbnails(
    axes: Axes, points: np.ndarray, images: np.ndarray, colours: np.ndarray
) -> None:
    """Draw images at their points, with frames in the points' colours."""
    zoom = THUMBNAIL * 72 / max(images.shape[1:3])
    for point, image, colour in zip(points, images, colours, strict=True):
        shown = OffsetImage(picture(image), zoom=zoom, cmap="gray", clim=(0, 255))
        frame: Any = {"edgecolor": colour, "linewidth": 0.9}
        axes.add_artist(AnnotationBbox(shown, tuple(point), pad=0, bboxprops=frame, zorder=3))


def _colour_by(figure: SubFigure, axes: Axes, values: np.ndarray, label: str) -> np.ndarray:
    """Return the colours of values, f[N, 4], and add their scale. The top 1 % share a colour."""
    scale = matplotlib.colors.Normalize(values.min(), np.quantile(values, 0.99) or None)
    colours = matplotlib.cm.ScalarMappable(scale, "cividis")
    figure.colorbar(colours, ax=axes, label=label, shrink=0.8, extend="max")

    return np.asarray(colours.to_rgba(values))


def _name_classes(
    axes: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    inches: np.ndarray,
) -> None:
    """Write the names of many classes at the middles of their points, if none hides another.

    Otherwise, and for a few classes, add a legend next to the map. The smaller maps name all.
    inches: what a unit of the map takes, f[2].
    """
    few = len(names) <= FEW
    short = short_names(names, FEW_NAME_LENGTH if few else NAME_LENGTH)
    present = np.unique(labels)
    middles = np.array([np.median(points[labels == label], axis=0) for label in present])

    if not few and not _overlap(middles * inches, [short[label] for label in present]):
        look: Any = {"ha": "center", "va": "center", "path_effects": OUTLINE, "clip_on": True}
        for label, (x, y) in zip(present, middles, strict=True):
            axes.text(x, y, short[label], fontsize=NAME_SIZE, zorder=5, **look)
        return

    if len(names) <= MOST_NAMED:
        for colour, name in zip(class_colours(len(names)), short, strict=True):
            axes.scatter([], [], s=25 if few else 12, color=colour, label=name)
        close: Any = {"fontsize": NAME_SIZE, "handletextpad": 0, "labelspacing": 0.2}
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            ncols=math.ceil(len(names) / NAMES_A_COLUMN),
            columnspacing=0.4,
            **({} if few else close),
        )


def _overlap(places: np.ndarray, names: Sequence[str]) -> bool:
    """Return whether a name written at its place, f[N, 2] in inches, would touch another."""
    letter = NAME_SIZE / 72  # its height; it is about 0.65 of that wide
    widths = np.array([0.65 * letter * len(name) for name in names])
    x, y = np.abs(places[:, None] - places[None]).transpose(2, 0, 1)
    touching = (x < (widths[:, None] + widths) / 2) & (y < 1.2 * letter)
    return bool(np.triu(touching, k=1).any())


def _draw_classes(
    panels: np.ndarray,
    points: np.ndarray,
    labels: np.ndarray,
    view: View,
    *,
    names: Sequence[str],
    size: float,
) -> None:
    """Draw each class over all points in grey."""
    near = points[~view.outside(points)]
    few = len(names) <= FEW
    titles = short_names(names, FEW_NAME_LENGTH if few else NAME_LENGTH)
    colours = class_colours(len(names))

    for label, panel in enumerate(panels.ravel()):
        if label >= len(names):
            panel.remove()
            continue

        panel.scatter(*near.T, s=0.36 * size, color="0.87", linewidths=0, rasterized=True)
        mine = points[labels == label]
        draw_points(panel, mine, np.tile(colours[label], (len(mine), 1)), view, size=size)
        set_view(panel, view, ticks=False)

        panel.set_title(titles[label], pad=3, fontsize=8 if few else 6)
