"""Figures 1 to 3: test images before and after. Arrays → matplotlib Figures; the same arrays give the same pixels.

Images are f32[…, H, W, C] in [0, 1]; psnr is in dB.
"""

from collections.abc import Sequence

import numpy as np

from jaxae.figures.style import WIDTH, Figure, label_row, show, styled

WORSE = "†"
"""Marks an output that is no better than its input."""


@styled
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
    columns = len(clean)
    figure = Figure(figsize=(WIDTH, 0.7 + 3 * _height(clean, columns)), layout="constrained")
    axes = figure.subplots(3, columns, squeeze=False)
    worse = denoised_psnr <= noisy_psnr
    captions = [
        list(names),
        [f"{value:.1f} dB" for value in noisy_psnr],
        [_decibels(value, bad) for value, bad in zip(denoised_psnr, worse, strict=True)],
    ]
    for row, images in enumerate([clean, noisy, denoised]):
        for column, image in enumerate(images):
            show(axes[row, column], image, below=captions[row][column])
        label_row(axes[row, 0], ["clean", "noisy", "denoised"][row])
    figure.suptitle(title)
    figure.supxlabel(
        f"below each image: its PSNR against the clean one{_worse_note(worse)}", fontsize=8
    )
    return figure


@styled
def error_maps(
    clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray, *, names: Sequence[str], title: str
) -> Figure:
    """Figure 2: clean, noisy, denoised, and the absolute error of each pixel on one shared scale; brighter is worse.

    clean, noisy, denoised: [N, H, W, C]; the error is the mean over channels.
    """
    error = np.abs(denoised - clean).mean(axis=-1)
    columns = len(clean)
    figure = Figure(figsize=(WIDTH, 0.5 + 4 * _height(clean, columns + 1)), layout="constrained")
    axes = figure.subplots(4, columns, squeeze=False)
    for column, name in enumerate(names):
        show(axes[0, column], clean[column], above=name)
        show(axes[1, column], noisy[column])
        show(axes[2, column], denoised[column])
        show(
            axes[3, column],
            error[column],
            below=f"MAE {error[column].mean():.3f}",
            cmap="inferno",
            top=error.max(),
        )
    for row, label in enumerate(["clean", "noisy", "denoised", "absolute error"]):
        label_row(axes[row, 0], label)
    bar = figure.colorbar(axes[3, -1].images[0], ax=axes, shrink=0.7, pad=0.02, aspect=30)
    bar.set_label("|denoised − clean| of a pixel, for pixels in [0, 1]")
    figure.suptitle(title)
    return figure


@styled
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
    figure = Figure(
        figsize=(WIDTH, 0.85 + 3 * _height(clean, samples * columns)), layout="constrained"
    )
    gap = 0.15  # of an image's width, between the blocks
    widths = ([1.0] * columns + [gap]) * (samples - 1) + [1.0] * columns
    grid = figure.add_gridspec(3, len(widths), width_ratios=widths)
    worse = denoised_psnr <= noisy_psnr
    for sample in range(samples):
        for column, level in enumerate(levels):
            axes = [
                figure.add_subplot(grid[row, sample * (columns + 1) + column]) for row in range(3)
            ]
            show(axes[0], clean[sample], above=f"noise {level:g}", below=names[sample])
            show(axes[1], noisy[sample, column], below=f"{noisy_psnr[sample, column]:.1f} dB")
            show(
                axes[2],
                denoised[sample, column],
                below=_decibels(denoised_psnr[sample, column], worse[sample, column]),
            )
            if sample == column == 0:
                for row, label in enumerate(["original", "noisy", "denoised"]):
                    label_row(axes[row], label)
    figure.suptitle(title)
    note = f"noise: standard deviation, pixels in [0, 1]; below: PSNR against the original{_worse_note(worse)}"
    figure.supxlabel(note, fontsize=8)
    return figure


def _height(images: np.ndarray, columns: int) -> float:
    """Of a row of so many images and its caption, in inches."""
    height, width = images.shape[-3:-1]
    return (WIDTH - 0.4) / columns * height / width + 0.18


def _decibels(value: float, worse: bool) -> str:
    return f"{value:.1f} dB{WORSE if worse else ''}"


def _worse_note(worse: np.ndarray) -> str:
    return (
        f"; {WORSE} no better than the noisy image: {int(worse.sum())} of {worse.size}"
        if worse.any()
        else ""
    )
