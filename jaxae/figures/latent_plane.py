"""Figures of the latent plane. Arrays → matplotlib Figures; latents are f32[N, 2]."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxae.figures.map_view import View, draw_points, note_outside, robust_view, set_view
from jaxae.figures.style import SMALL, TEN_COLOURS, WIDTH, Figure, mosaic, point_colours, styled

COLUMNS = 5
FAINT = 0.4  # how dark a backdrop prints what is white


@styled
def latent_space(latents: np.ndarray, labels: np.ndarray | None, *, names: Sequence[str], title: str) -> Figure:
    """Figure 4: all latents as points, a colour a class, and each class alone. labels: int[N], or None for one colour."""
    view, order = robust_view(latents), np.random.default_rng(0).permutation(len(latents))  # no class lies on top
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 5.4 + 1.5 * rows), layout="constrained")
    above, *below = np.atleast_1d(
        np.asarray(figure.subfigures(2, height_ratios=[5.4, 1.5 * rows]) if rows else figure.subfigures(1))
    )
    whole = above.subplots()
    draw_points(whole, latents[order], point_colours(labels, len(latents))[order], view, size=2.5)
    set_view(whole, view)
    note_outside(whole, latents, view)
    for label, name in enumerate(names):
        whole.scatter([], [], s=25, color=TEN_COLOURS[label % 10], label=name)
    figure.suptitle(title)
    if labels is None or not rows:
        return figure
    whole.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    panels = below[0].subplots(rows, COLUMNS, squeeze=False).ravel()
    for label, panel in enumerate(panels):
        if label >= len(names):
            panel.remove()
            continue
        near = latents[~view.outside(latents)]
        panel.scatter(near[:, 0], near[:, 1], s=0.3, color="0.87", linewidths=0)
        mine = latents[labels == label]
        draw_points(panel, mine, np.tile(TEN_COLOURS[label % 10], (len(mine), 1)), view, size=0.8)
        set_view(panel, view, ticks=False)
        panel.set_title(names[label], pad=3)
    return figure


@styled
def latent_grid(images: np.ndarray, counts: np.ndarray, *, edges: tuple[np.ndarray, np.ndarray], title: str) -> Figure:
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
        axes.set(xlabel="latent dimension 1", ylabel="latent dimension 2")
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
    for value in sorted(candidates, key=lambda v: (len(f"{abs(v):g}"), abs(v))):  # the roundest first
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
    title: str,
) -> Figure:
    """Arrows z(clean) → z(noisy) over the decoded plane, a panel a level of `noisy`; and, where there are labels, what noise
    does to the 5-NN class.

    grid: f32[G, G, H, W, C] over the view, as in latent_grid; changed, accuracy: f64[L] in [0, 1].
    """
    has_curve = changed is not None and accuracy is not None
    figure = Figure(figsize=(WIDTH, 6.6 if has_curve else 4.2), layout="constrained")
    above, *below = np.atleast_1d(
        np.asarray(figure.subfigures(2, height_ratios=[4.2, 2.4]) if has_curve else figure.subfigures(1))
    )
    maps = above.subplots(1, len(noisy), squeeze=False)[0]
    backdrop = mosaic(1 - FAINT * grid)
    for axes, (level, moved) in zip(maps, noisy.items(), strict=True):
        extent = (view.low[0], view.high[0], view.low[1], view.high[1])
        axes.imshow(backdrop, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
        _draw_arrows(axes, clean, moved, labels, view)
        axes.set_title(f"noise {level:g}: clean image (dot) → noisy one (arrow's head)")
        note = view.outside(clean).sum()
        axes.set_xlabel(
            "latent dimension 1" + (f"\n({note} of {len(clean)} begin outside: triangles at the edge)" if note else "")
        )
    for label, name in enumerate(names):
        maps[0].plot([], [], marker="o", ls="", color=TEN_COLOURS[label % 10], label=name)
    if names:
        above.legend(*maps[0].get_legend_handles_labels(), loc="outside lower center", ncols=COLUMNS, frameon=False)
    figure.suptitle(title)
    if changed is not None and accuracy is not None:
        curve = below[0].subplots()
        curve.plot(levels, 100 * changed, marker="o", color="black", label="5-NN class is not that of the clean image")
        curve.plot(levels, 100 * (1 - accuracy), marker="s", ls="--", color="0.45", label="5-NN class is not the true one")
        curve.set(xlabel="noise: standard deviation, pixels in [0, 1]", ylabel="share of all test images, %", ylim=(0, 100))
        curve.grid(alpha=0.3)
        curve.legend(loc="upper left")
    return figure


def _draw_arrows(axes: Axes, start: np.ndarray, end: np.ndarray, labels: np.ndarray | None, view: View) -> None:
    colours, near = point_colours(labels, len(start)), ~view.outside(start)
    way = end[near] - start[near]
    axes.quiver(*start[near].T, *way.T, color=colours[near], angles="xy", scale_units="xy", scale=1, width=0.003, headwidth=5)
    draw_points(axes, start, colours, view, size=7)
    set_view(axes, view)
