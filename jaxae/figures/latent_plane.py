"""Arrays → matplotlib Figures of the latent plane, as in figures: no I/O, no JAX, no global state. Latents are f32[N, 2]."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxae.figures.style import TEN_COLOURS, picture, point_colours

ON_BLACK = [*TEN_COLOURS[:8], (1.0, 1.0, 1.0), TEN_COLOURS[9]]  # the darkest cannot be seen there


def latent_space(latents: np.ndarray, labels: np.ndarray | None, *, names: Sequence[str], title: str) -> Figure:
    """Figure 4: all latents as points, a colour a class, and each class alone.

    latents: f32[N, 2]; labels: int[N], or None for one colour.
    """
    figure = Figure(figsize=(11.6, 8), layout="constrained")
    grid = figure.add_gridspec(5, 7)
    whole = figure.add_subplot(grid[:, : 5 if names else 7])
    order = np.random.default_rng(0).permutation(len(latents))  # so that no class lies on top of the others
    colours = point_colours(labels, len(latents))[order]
    whole.scatter(latents[order, 0], latents[order, 1], s=4, c=colours, alpha=0.7, linewidths=0)
    whole.set(aspect="equal", xlabel="latent dimension 1", ylabel="latent dimension 2")
    for label, name in enumerate(names):
        whole.scatter([], [], s=40, color=TEN_COLOURS[label], label=name)
        alone = figure.add_subplot(grid[label // 2, 5 + label % 2])
        mine = latents[labels == label]
        alone.scatter(latents[:, 0], latents[:, 1], s=0.5, color="0.85", linewidths=0)
        alone.scatter(mine[:, 0], mine[:, 1], s=1, color=TEN_COLOURS[label], linewidths=0)
        alone.set(aspect="equal", xticks=[], yticks=[])
        alone.set_title(name, fontsize=9)
    figure.legend(*whole.get_legend_handles_labels(), loc="outside lower center", ncols=10, frameon=False, columnspacing=1.2)
    figure.suptitle(title)
    return figure


def latent_grid(images: np.ndarray, counts: np.ndarray, *, edges: tuple[np.ndarray, np.ndarray], title: str) -> Figure:
    """The decoder's images over the plane, on the data's quantiles, beside how many points each cell holds.

    images: f32[G, G, H, W, C] and counts: int[G, G], both [row of dimension 2, column of dimension 1]; edges: f64[G + 1] each.
    """
    cells = len(images)
    figure = Figure(figsize=(16.5, 8.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(mosaic(images), cmap="gray", vmin=0, vmax=1, extent=(0, cells, 0, cells), interpolation="nearest")
    density = right.imshow(counts, cmap="cividis", vmin=0, extent=(0, cells, 0, cells), origin="lower", interpolation="nearest")
    ticks = np.linspace(0, cells, 6).round().astype(int)
    for axes in (left, right):
        axes.set(xticks=ticks, yticks=ticks, xlabel="latent dimension 1", ylabel="latent dimension 2")
        axes.set_xticklabels([f"{edges[0][tick]:.3g}" for tick in ticks])
        axes.set_yticklabels([f"{edges[1][tick]:.3g}" for tick in ticks])
    left.set_title("what the decoder draws in the middle of each cell", fontsize=10)
    right.set_title("how many test images fall into each cell; where there are none, the left side is invention", fontsize=10)
    figure.colorbar(density, ax=[left, right], shrink=0.8, label="test images in the cell")
    figure.suptitle(title)
    figure.supxlabel(
        "each axis is cut at the quantiles of the test images, so every row and every column holds equally many", fontsize=9
    )
    return figure


def noise_drift(
    clean: np.ndarray,
    noisy: dict[float, np.ndarray],
    labels: np.ndarray | None,
    *,
    names: Sequence[str],
    grid: np.ndarray,
    extent: tuple[float, float, float, float],
    levels: Sequence[float],
    changed: np.ndarray | None = None,
    accuracy: np.ndarray | None = None,
    title: str,
) -> Figure:
    """Arrows z(clean) → z(noisy) over the decoded plane, a panel a level of `noisy`; and, where
    there are labels, what noise does to the 5-NN class.

    grid: f32[G, G, H, W, C] over extent (left, right, bottom, top); changed, accuracy: f64[L] in [0, 1], for L levels.
    """
    figure = Figure(figsize=(8 * len(noisy) + 6, 8.6), layout="constrained")
    *maps, curve = figure.subplots(1, len(noisy) + 1, width_ratios=[8.0] * len(noisy) + [5.5])
    for axes, (level, moved) in zip(maps, noisy.items(), strict=True):
        dark = mosaic(grid) / 1.6  # the arrows are the subject
        axes.imshow(dark, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
        _arrows(axes, clean, moved, labels)
        axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="latent dimension 1", ylabel="latent dimension 2")
        axes.set_title(f"noise {level:g}: from the clean image (dot) to the noisy one (arrow's head)", fontsize=10)
    for label, name in enumerate(names):
        maps[0].plot([], [], marker="o", ls="", color=ON_BLACK[label], markeredgecolor="0.3", label=name)
    figure.legend(*maps[0].get_legend_handles_labels(), loc="outside lower center", ncols=10, frameon=False)
    figure.suptitle(title)
    if changed is None or accuracy is None:
        curve.remove()
        return figure
    moved_class, wrong_class = "5-NN class is not that of the clean image", "5-NN class is not the true one"
    curve.plot(levels, 100 * changed, marker="o", lw=2.5, color=TEN_COLOURS[0], label=moved_class)
    curve.plot(levels, 100 * (1 - accuracy), marker="s", color=TEN_COLOURS[1], label=wrong_class)
    curve.set(xlabel="noise: standard deviation, pixels in [0, 1]", ylabel="share of all test images, %", ylim=(0, 100))
    curve.grid(alpha=0.3)
    curve.legend(loc="upper left")
    return figure


def mosaic(images: np.ndarray) -> np.ndarray:
    """Images [row, column, H, W, C], row 0 the lowest, as one picture whose first line is the top."""
    rows, columns, height, width, channels = images.shape
    return picture(images[::-1].swapaxes(1, 2).reshape(rows * height, columns * width, channels))


def _arrows(axes: Axes, start: np.ndarray, end: np.ndarray, labels: np.ndarray | None) -> None:
    colours = np.array(ON_BLACK)[np.zeros(len(start), int) if labels is None else labels]
    way = end - start
    axes.quiver(*start.T, *way.T, color=colours, angles="xy", scale_units="xy", scale=1, width=0.0022, headwidth=5)
    axes.scatter(start[:, 0], start[:, 1], s=12, c=colours, linewidths=0.4, edgecolors="black", zorder=3)
