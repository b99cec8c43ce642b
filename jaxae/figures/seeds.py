"""Arrays → a matplotlib Figure of several members' maps and of where their reconstructions differ. No I/O, no JAX."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import SubFigure

from jaxae.figures.map_view import add_class_legend, draw_points, robust_view, set_view
from jaxae.figures.style import WIDTH, Figure, label_row, point_colours, show, styled

COLUMNS = 4


@styled
def seed_agreement(
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
    """Aligned latent maps f[N, 2] of all members, the neighbours they share f[M, M], and the ensemble's pixels.

    clean: f32[S, H, W, C], samples; denoised: f32[M, S, H, W, C], what the members make of them, noisy.
    labels: int[N], or None.
    """
    rows = -(-len(maps) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 2.0 * rows + 4.6), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[2.0 * rows + 0.6, 4.0]))
    _draw_maps(above, maps, labels, members=members, names=names)
    left, right = np.asarray(below.subfigures(1, 2, width_ratios=[1, 1.5]))
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
    panels = figure.subplots(-(-len(maps) // columns), columns, squeeze=False).ravel()
    view = robust_view(np.concatenate(maps))
    for number, panel in enumerate(panels):
        if number >= len(maps):
            panel.remove()
            continue
        z = maps[number]
        draw_points(panel, z, point_colours(labels, len(z), classes=len(names)), view, size=0.6)
        set_view(panel, view, ticks=False)
        panel.set_title(f"member {number}: {members[number]}")
        if count := view.outside(z).sum():
            panel.set_xlabel(f"{count} points outside: at the edge")
    add_class_legend(figure, names)


def _draw_shared(figure: SubFigure, shared: np.ndarray) -> None:
    panel = figure.subplots()
    image = panel.imshow(100 * shared, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
    panel.set(
        xlabel="member", ylabel="member", xticks=range(len(shared)), yticks=range(len(shared))
    )
    panel.set_title("share of a point's 10 nearest\nneighbours that both have, %")
    for i, j in np.ndindex(shared.shape):
        colour = "black" if shared[i, j] > 0.6 else "white"
        panel.text(j, i, f"{100 * shared[i, j]:.0f}", ha="center", va="center", color=colour)
    figure.colorbar(image, ax=panel, shrink=0.8)


def _draw_pixels(figure: SubFigure, clean: np.ndarray, denoised: np.ndarray) -> None:
    panels = figure.subplots(4, len(clean), squeeze=False)
    mean, deviation = denoised.mean(axis=0), denoised.std(axis=0, ddof=1).mean(axis=-1)
    error = np.abs(mean - clean).mean(axis=-1)
    for column in range(len(clean)):
        show(panels[0, column], clean[column])
        show(panels[1, column], mean[column])
        show(panels[2, column], error[column], cmap="inferno", top=error.max())
        show(panels[3, column], deviation[column], cmap="inferno", top=deviation.max())
    for row, text in enumerate(["clean", "mean", "error", "std"]):
        label_row(panels[row, 0], text)
    for row in (2, 3):
        figure.colorbar(panels[row, -1].images[0], ax=panels[row, :], shrink=0.9, pad=0.01)
    text = "mean of the members' reconstructions of noisy images,\nits error |mean − clean|, and std over members"
    figure.suptitle(text, fontsize=8)
