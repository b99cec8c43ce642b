"""The maps of several members, and where their reconstructions differ.

From arrays to a matplotlib Figure.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import SubFigure

from jaxae.figures.map_view import add_class_legend, draw_points, robust_view, set_view
from jaxae.figures.style import WIDTH, Figure, label_row, point_colours, show, styled

COLUMNS = 4


@styled
def draw_seed_agreement(
    maps: Sequence[np.ndarray],
    labels: np.ndarray | None,
    shared: np.ndarray,
    *,
    members: Sequence[str],
    names: Sequence[str],
    clean: np.ndarray,
    denoised: np.ndarray,
    title: str,
) -> Figure:
    """Draw the aligned maps of all members, the neighbours they share, and how their pixels differ.

    maps: f[N, 2] each; shared: the share of neighbours that two members have in common, f[M, M].
    members, names: of the members and of the classes; labels: int[N], or None.
    clean: samples, f32[S, H, W, C]; denoised: the members' outputs for them, f32[M, S, H, W, C].
    """
    rows = math.ceil(len(maps) / COLUMNS)
    figure = Figure(figsize=(WIDTH, 2.0 * rows + 4.6), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[2.0 * rows + 0.6, 4.0]))
    left, right = np.asarray(below.subfigures(1, 2, width_ratios=[1, 1.5]))

    _draw_maps(above, maps, labels, members=members, names=names)
    _draw_shared(left, shared)
    _draw_pixels(right, clean, denoised)
    figure.suptitle(title)
    return figure


def _draw_maps(
    figure: SubFigure,
    maps: Sequence[np.ndarray],
    labels: np.ndarray | None,
    *,
    members: Sequence[str],
    names: Sequence[str],
) -> None:
    columns = min(COLUMNS, len(maps))
    panels = figure.subplots(math.ceil(len(maps) / columns), columns, squeeze=False).ravel()
    view = robust_view(np.concatenate(maps))

    for number, panel in enumerate(panels):
        if number >= len(maps):
            panel.remove()
            continue

        points = maps[number]
        colours = point_colours(labels, len(points), classes=len(names))
        draw_points(panel, points, colours, view, size=0.6)
        set_view(panel, view, ticks=False)
        panel.set_title(f"member {number}: {members[number]}")
        outside = view.outside(points).sum()
        if outside:
            panel.set_xlabel(f"{outside} points outside: at the edge")

    add_class_legend(figure, names)


def _draw_shared(figure: SubFigure, shared: np.ndarray) -> None:
    panel = figure.subplots()
    image = panel.imshow(100 * shared, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
    numbers = range(len(shared))
    panel.set(xlabel="member", ylabel="member", xticks=numbers, yticks=numbers)
    panel.set_title("share of a point's 10 nearest\nneighbours that both have, %")

    for row, column in np.ndindex(shared.shape):
        share = shared[row, column]
        colour = "black" if share > 0.6 else "white"
        panel.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour)
    figure.colorbar(image, ax=panel, shrink=0.8)


def _draw_pixels(figure: SubFigure, clean: np.ndarray, denoised: np.ndarray) -> None:
    mean = denoised.mean(axis=0)
    error = np.abs(mean - clean).mean(axis=-1)
    deviation = denoised.std(axis=0, ddof=1).mean(axis=-1)

    panels = figure.subplots(4, len(clean), squeeze=False)
    for column in range(len(clean)):
        show(panels[0, column], clean[column])
        show(panels[1, column], mean[column])
        show(panels[2, column], error[column], cmap="inferno", top=error.max())
        show(panels[3, column], deviation[column], cmap="inferno", top=deviation.max())
    for row, label in enumerate(["clean", "mean", "error", "std"]):
        label_row(panels[row, 0], label)
    for row in (2, 3):
        figure.colorbar(panels[row, -1].images[0], ax=panels[row, :], shrink=0.9, pad=0.01)

    note = "mean of the members' reconstructions of noisy images,\n"
    note += "its error |mean − clean|, and std over members"
    figure.suptitle(note, fontsize=8)
