"""Arrays → a matplotlib Figure of several members' maps and of where their reconstructions differ. No I/O, no JAX."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxae.figures.style import TEN_COLOURS, label_row, show

COLUMNS = 4


def seed_agreement(
    maps: Sequence[np.ndarray],
    labels: np.ndarray,
    shared: np.ndarray,
    *,
    members: Sequence[str],
    names: Sequence[str],
    clean: np.ndarray,
    denoised: np.ndarray,
    title: str,
) -> Figure:
    """Aligned latent maps f[N, 2] of all members, the neighbours they share f[M, M], and the ensemble's pixels.

    clean: f32[S, 28, 28], samples; denoised: f32[M, S, 28, 28], what the members make of them, noisy.
    """
    rows = -(-len(maps) // COLUMNS)
    figure = Figure(figsize=(15, 3.4 * rows + 6.5), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[3.4 * rows, 6.5]))
    axes = above.subplots(rows, COLUMNS, squeeze=False).ravel()
    limits = [np.quantile(np.concatenate(maps)[:, d], [0.002, 0.998]) for d in (0, 1)]
    for number, panel in enumerate(axes):
        panel.set(xticks=[], yticks=[])
        if number >= len(maps):
            panel.axis("off")
            continue
        z = maps[number]
        panel.scatter(z[:, 0], z[:, 1], s=1.5, c=np.array(TEN_COLOURS)[labels], linewidths=0)
        panel.set(xlim=limits[0], ylim=limits[1])
        panel.set_title(f"member {number}: {members[number]}", fontsize=9)
    for label, name in enumerate(names):
        axes[0].scatter([], [], s=40, color=TEN_COLOURS[label], label=name)
    above.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=10, frameon=False)
    left, right = np.asarray(below.subfigures(1, 2, width_ratios=[1, 1.5]))
    panel = left.subplots()
    image = panel.imshow(100 * shared, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
    panel.set(xlabel="member", ylabel="member", xticks=range(len(maps)), yticks=range(len(maps)))
    panel.set_title("share of a point's 10 nearest neighbours that both have, %", fontsize=10)
    for i, j in np.ndindex(shared.shape):
        panel.text(
            j, i, f"{100 * shared[i, j]:.0f}", ha="center", va="center", color="black" if shared[i, j] > 0.6 else "white"
        )
    left.colorbar(image, ax=panel, shrink=0.8)
    pictures = right.subplots(4, len(clean), squeeze=False)
    mean, deviation = denoised.mean(axis=0), denoised.std(axis=0, ddof=1)
    error = np.abs(mean - clean)
    for column in range(len(clean)):
        show(pictures[0, column], clean[column])
        show(pictures[1, column], mean[column])
        show(pictures[2, column], error[column], cmap="inferno", top=error.max())
        show(pictures[3, column], deviation[column], cmap="inferno", top=deviation.max())
    for row, text in enumerate(["clean", "mean of members", "error of the mean", "deviation"]):
        label_row(pictures[row, 0], text)
    for row, text in ((2, "|mean − clean|"), (3, "std over members")):
        right.colorbar(pictures[row, -1].images[0], ax=pictures[row, :], shrink=0.9, pad=0.01).set_label(text, fontsize=8)
    right.suptitle(
        "where the members' reconstructions of noisy images err, and where they differ; pixels in [0, 1]", fontsize=10
    )
    figure.suptitle(title)
    return figure
