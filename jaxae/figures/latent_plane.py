"""The decoder's images over a map, and where noise pushes the images' latents.

From arrays to matplotlib Figures; points are f[N, 2].
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator

from jaxae.figures.map_view import DIMENSIONS, View, add_class_legend, aspect, draw_points, set_view
from jaxae.figures.style import SMALL, WIDTH, Figure, mosaic, point_colours, styled

FAINT = 0.4
"""The share of its contrast that a backdrop keeps."""


@styled
def draw_latent_grid(
    images: np.ndarray,
    counts: np.ndarray,
    *,
    edges: tuple[np.ndarray, np.ndarray],
    dimensions: tuple[str, str] = DIMENSIONS,
    title: str,
) -> Figure:
    """Draw the decoder's images over the plane, next to the number of points in each cell.

    images: f32[G, G, H, W, C] and counts: int[G, G], both [row of dimension 2, column of
    dimension 1]. edges: the borders of the cells in each dimension, f64[G + 1] each.
    """
    figure = Figure(figsize=(WIDTH, 5.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])

    cells = len(images)
    whole: Any = {"extent": (0, cells, 0, cells), "aspect": "auto", "interpolation": "nearest"}
    left.imshow(mosaic(images), cmap="gray", vmin=0, vmax=1, **whole)
    density = right.imshow(counts, cmap="cividis", vmin=0, origin="lower", **whole)

    for axes, most in ((left, 8), (right, 4)):
        _set_ticks(axes.xaxis, edges[0], most)
        _set_ticks(axes.yaxis, edges[1], most)
        axes.set(xlabel=dimensions[0], ylabel=dimensions[1])

    left.set_title("what the decoder draws in the middle of each cell")
    right.set_title("test images in the cell; where there\nare none, the left side is invention")
    figure.colorbar(density, ax=right, location="bottom", label="test images in the cell")
    figure.suptitle(title)
    note = "each axis is cut at the quantiles of the test images: "
    note += "every row and every column holds equally many"
    figure.supxlabel(note, fontsize=SMALL)
    return figure


def _set_ticks(axis: Any, edges: np.ndarray, most: int) -> None:
    """Label an axis of cells with round values of the latent dimension, at most this many."""
    values = _round_values(edges, most)
    places = np.interp(values, edges, np.arange(len(edges)))
    axis.set_ticks(places, labels=[f"{value:g}".replace("-", "−") for value in values])


def _round_values(edges: np.ndarray, most: int) -> list[float]:
    """Return round values between the edges, none too close to another, the roundest first."""
    candidates = MaxNLocator(nbins=10 * most, steps=[1, 5, 10]).tick_values(edges[0], edges[-1])
    inside = [value for value in candidates if edges[0] <= value <= edges[-1]]
    numbers = np.arange(len(edges))

    chosen: list[float] = []
    for value in sorted(inside, key=lambda each: (len(f"{abs(each):g}"), abs(each))):
        place = np.interp(value, edges, numbers)
        others = np.interp(chosen, edges, numbers)
        if not (np.abs(others - place) < numbers[-1] / most).any():
            chosen.append(float(value))

    return chosen


@styled
def draw_noise_drift(
    clean: np.ndarray,
    noisy: Mapping[float, np.ndarray],
    labels: np.ndarray | None,
    *,
    names: Sequence[str],
    grid: np.ndarray,
    view: View,
    levels: Sequence[float],
    changed: np.ndarray | None = None,
    accuracy: np.ndarray | None = None,
    dimensions: tuple[str, str] = DIMENSIONS,
    title: str,
) -> Figure:
    """Draw arrows from clean to noisy latents over the decoded plane, a panel a level of `noisy`.

    grid: the decoder's images over the view, f32[G, G, H, W, C] as in draw_latent_grid. changed,
    accuracy: shares of images by level, f64[levels] in [0, 1]; with them there is a curve below.
    """
    # Titles, labels and legend need 1.35 inches, and 0.2 more with a note.
    words = 1.55 if view.outside(clean).any() else 1.35
    heights = [words + 3.05 * min(1.0, aspect(view))]
    if changed is not None and accuracy is not None:
        heights.append(2.4)
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    figure.suptitle(title)
    parts = figure.subfigures(len(heights), height_ratios=heights, squeeze=False)[:, 0]

    maps = parts[0].subplots(1, len(noisy), squeeze=False)[0]
    colours = point_colours(labels, len(clean), classes=len(names))
    for axes, (level, moved) in zip(maps, noisy.items(), strict=True):
        _draw_backdrop(axes, grid, view)
        _draw_arrows(axes, clean, moved, colours, view)
        axes.set_title(f"noise {level:g}: clean image (dot) → noisy one (arrow's head)")
        axes.set(xlabel=dimensions[0], ylabel=dimensions[1])
        outside = view.outside(clean).sum()
        if outside:
            note = f"({outside} of {len(clean)} begin outside: triangles at the edge)"
            axes.set_xlabel(f"{dimensions[0]}\n{note}")
    add_class_legend(parts[0], names)

    if changed is not None and accuracy is not None:
        _draw_shares(parts[1], levels, changed, accuracy)

    return figure


def _draw_backdrop(axes: Axes, grid: np.ndarray, view: View) -> None:
    """Draw the decoded plane faintly. Colours keep their hue; grey images become negatives."""
    paper = 1 - grid if grid.shape[-1] > 1 else grid
    extent = (view.low[0], view.high[0], view.low[1], view.high[1])
    backdrop = mosaic(1 - FAINT * paper)
    axes.imshow(backdrop, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")


def _draw_arrows(
    axes: Axes, start: np.ndarray, end: np.ndarray, colours: np.ndarray, view: View
) -> None:
    near = ~view.outside(start)
    way = end[near] - start[near]
    axes.quiver(
        *start[near].T,
        *way.T,
        color=colours[near],
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.003,
        headwidth=5,
    )
    draw_points(axes, start, colours, view, size=7)
    set_view(axes, view)


def _draw_shares(
    figure: SubFigure, levels: Sequence[float], changed: np.ndarray, accuracy: np.ndarray
) -> None:
    axes = figure.subplots()
    other = "5-NN class is not that of the clean image"
    wrong = "5-NN class is not the true one"
    axes.plot(levels, 100 * changed, marker="o", color="black", label=other)
    axes.plot(levels, 100 * (1 - accuracy), marker="s", ls="--", color="0.45", label=wrong)
    axes.set(
        xlabel="noise: standard deviation, pixels in [0, 1]",
        ylabel="share of all test images, %",
        ylim=(0, 100),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
