"""What the decoder draws over a map, and where noise pushes images. Arrays → matplotlib Figures; points are f[N, 2]."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxae.figures.map_view import DIMENSIONS, View, add_class_legend, aspect, draw_points, set_view
from jaxae.figures.style import SMALL, WIDTH, Figure, mosaic, point_colours, styled

FAINT = 0.4  # how much of its contrast a backdrop keeps


@styled
def latent_grid(
    images: np.ndarray,
    counts: np.ndarray,
    *,
    edges: tuple[np.ndarray, np.ndarray],
    dimensions: tuple[str, str] = DIMENSIONS,
    title: str,
) -> Figure:
    """The decoder's images over the plane, on the data's quantiles, beside how many points each cell holds.

    images: f32[G, G, H, W, C] and counts: int[G, G], both [row of dimension 2, column of dimension 1]; edges: f64[G + 1] each.
    """
    cells = len(images)
    figure = Figure(figsize=(WIDTH, 5.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    whole: Any = {"extent": (0, cells, 0, cells), "aspect": "auto", "interpolation": "nearest"}
    left.imshow(mosaic(images), cmap="gray", vmin=0, vmax=1, **whole)
    density = right.imshow(counts, cmap="cividis", vmin=0, origin="lower", **whole)
    for axes, most in ((left, 8), (right, 4)):
        for axis, edge in ((axes.xaxis, edges[0]), (axes.yaxis, edges[1])):
            values, places = _ticks(edge, most)
            axis.set_ticks(places, labels=[f"{value:g}".replace("-", "−") for value in values])
        axes.set(xlabel=dimensions[0], ylabel=dimensions[1])
    left.set_title("what the decoder draws in the middle of each cell")
    right.set_title("test images in the cell; where there\nare none, the left side is invention")
    figure.colorbar(density, ax=right, location="bottom", label="test images in the cell")
    figure.suptitle(title)
    note = "each axis is cut at the quantiles of the test images: every row and every column holds equally many"
    figure.supxlabel(note, fontsize=SMALL)
    return figure


def _ticks(edges: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Round latent values within these edges, none too near its neighbour, and their places in cells."""
    cells = len(edges) - 1
    candidates = MaxNLocator(nbins=10 * most, steps=[1, 5, 10]).tick_values(edges[0], edges[-1])
    candidates = candidates[(candidates >= edges[0]) & (candidates <= edges[-1])]
    chosen: list[float] = []
    for value in sorted(
        candidates, key=lambda v: (len(f"{abs(v):g}"), abs(v))
    ):  # the roundest first
        place = np.interp([value, *chosen], edges, np.arange(cells + 1))
        if not (np.abs(place[1:] - place[0]) < cells / most).any():
            chosen.append(float(value))
    values = np.array(sorted(chosen))
    return values, np.interp(values, edges, np.arange(cells + 1))


@styled
def noise_drift(
    clean: np.ndarray,
    noisy: dict[float, np.ndarray],
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
    """Arrows z(clean) → z(noisy) over the decoded plane, a panel a level of `noisy`; and, where there are labels, what noise
    does to the 5-NN class.

    grid: f32[G, G, H, W, C] over the view, as in latent_grid; changed, accuracy: f64[L] in [0, 1].
    """
    has_curve = changed is not None and accuracy is not None
    words = (
        1.55 if view.outside(clean).any() else 1.35
    )  # titles, labels and legend, and perhaps the note
    maps_height = words + 3.05 * min(1.0, aspect(view))  # a wide map has no bands above and below
    heights = [maps_height, 2.4] if has_curve else [maps_height]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    above, *below = np.atleast_1d(
        np.asarray(figure.subfigures(len(heights), height_ratios=heights))
    )
    maps = above.subplots(1, len(noisy), squeeze=False)[0]
    backdrop = mosaic(
        1 - FAINT * (1 - grid if grid.shape[-1] > 1 else grid)
    )  # colours keep their hue; grey is a negative
    for axes, (level, moved) in zip(maps, noisy.items(), strict=True):
        extent = (view.low[0], view.high[0], view.low[1], view.high[1])
        axes.imshow(backdrop, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
        _draw_arrows(
            axes, clean, moved, point_colours(labels, len(clean), classes=len(names)), view
        )
        axes.set(ylabel=dimensions[1])
        axes.set_title(f"noise {level:g}: clean image (dot) → noisy one (arrow's head)")
        note = view.outside(clean).sum()
        axes.set_xlabel(
            dimensions[0]
            + (f"\n({note} of {len(clean)} begin outside: triangles at the edge)" if note else "")
        )
    add_class_legend(above, names)
    figure.suptitle(title)
    if changed is not None and accuracy is not None:
        curve = below[0].subplots()
        curve.plot(
            levels,
            100 * changed,
            marker="o",
            color="black",
            label="5-NN class is not that of the clean image",
        )
        curve.plot(
            levels,
            100 * (1 - accuracy),
            marker="s",
            ls="--",
            color="0.45",
            label="5-NN class is not the true one",
        )
        curve.set(
            xlabel="noise: standard deviation, pixels in [0, 1]",
            ylabel="share of all test images, %",
            ylim=(0, 100),
        )
        curve.grid(alpha=0.3)
        curve.legend(loc="upper left")
    return figure


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
