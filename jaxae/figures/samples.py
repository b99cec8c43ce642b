"""Arrays → matplotlib Figures. No I/O, no JAX, no global state: the same arrays give the same pixels.

Images are f32[…, H, W, C] in [0, 1]. Colours hold for colour-blind readers: inferno is perceptually uniform, and the ten
classes take Petroff's ten accessible colours, and stand in a panel of their own as well.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxae.figures.style import label_row, show


def reconstructions(
    clean: np.ndarray,
    noisy: np.ndarray,
    denoised: np.ndarray,
    *,
    names: Sequence[str],
    noisy_psnr: np.ndarray,
    denoised_psnr: np.ndarray,
    title: str,
) -> Figure:
    """Figure 1: samples as columns, clean / noisy / denoised as rows. psnr: dB[N]; names: N class names."""
    figure = Figure(figsize=(1.35 * len(clean) + 1, 5.4), layout="constrained")
    axes = figure.subplots(3, len(clean), squeeze=False)
    captions = [
        list(names),
        [f"{value:.1f} dB" for value in noisy_psnr],
        [f"{value:.1f} dB" for value in denoised_psnr],
    ]
    for row, images in enumerate([clean, noisy, denoised]):
        for column, image in enumerate(images):
            show(axes[row, column], image, below=captions[row][column])
        label_row(axes[row, 0], ["clean", "noisy", "denoised"][row])
    figure.suptitle(title)
    figure.supxlabel("below each image: its PSNR against the clean one", fontsize=9)
    return figure


def error_maps(clean: np.ndarray, denoised: np.ndarray, *, names: Sequence[str], title: str) -> Figure:
    """Figure 2: clean, denoised, and the absolute error of each pixel on one shared scale; brighter is worse.

    clean, denoised: [N, H, W, C]; the error is the mean over channels.
    """
    error = np.abs(denoised - clean).mean(axis=-1)
    figure = Figure(figsize=(1.5 * len(clean) + 1.6, 5.6), layout="constrained")
    axes = figure.subplots(3, len(clean), squeeze=False)
    for column, name in enumerate(names):
        show(axes[0, column], clean[column], below=name)
        show(axes[1, column], denoised[column])
        show(axes[2, column], error[column], below=f"MAE {error[column].mean():.3f}", cmap="inferno", top=error.max())
    for row, label in enumerate(["clean", "denoised", "absolute error"]):
        label_row(axes[row, 0], label)
    bar = figure.colorbar(axes[2, -1].images[0], ax=axes, shrink=0.6, pad=0.02)
    bar.set_label("|denoised − clean| of a pixel, for pixels in [0, 1]")
    figure.suptitle(title)
    return figure


def noise_robustness(
    clean: np.ndarray,
    noisy: np.ndarray,
    denoised: np.ndarray,
    *,
    names: Sequence[str],
    levels: Sequence[float],
    noisy_psnr: np.ndarray,
    denoised_psnr: np.ndarray,
    title: str,
) -> Figure:
    """Figure 3: for each sample a block of columns, one a noise level; original, noisy and denoised as rows.

    clean: [S, H, W, C]; noisy, denoised: [S, L, H, W, C]; psnr: dB[S, L]; levels: L standard deviations.
    """
    samples, columns = len(clean), len(levels)
    figure = Figure(figsize=(1.3 * samples * columns + 1.2, 5.4), layout="constrained")
    gap = 0.15  # of an image's width, between the blocks
    widths = ([1.0] * columns + [gap]) * (samples - 1) + [1.0] * columns
    grid = figure.add_gridspec(3, len(widths), width_ratios=widths)
    for sample in range(samples):
        for column, level in enumerate(levels):
            axes = [figure.add_subplot(grid[row, sample * (columns + 1) + column]) for row in range(3)]
            show(axes[0], clean[sample], above=f"noise {level:g}", below=names[sample])
            show(axes[1], noisy[sample, column], below=f"{noisy_psnr[sample, column]:.1f} dB")
            show(axes[2], denoised[sample, column], below=f"{denoised_psnr[sample, column]:.1f} dB")
            if sample == column == 0:
                for row, label in enumerate(["original", "noisy", "denoised"]):
                    label_row(axes[row], label)
    figure.suptitle(title)
    figure.supxlabel("noise: standard deviation, pixels in [0, 1]; below each image: its PSNR against the original", fontsize=9)
    return figure
