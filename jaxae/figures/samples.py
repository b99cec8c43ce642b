"""Figures 1 to 3: test images before and after denoising.

Images are f32[…, H, W, C] in [0, 1]; PSNR is in dB.
"""

from collections.abc import Sequence

import numpy as np

from jaxae.figures.style import WIDTH, Figure, label_row, short_names, show, styled

WORSE = "†"
"""Marks an output that is no better than its input."""
NAME_LENGTH = 13
"""Most characters of a name below an image."""
GAP = 0.15
"""The space between two samples of figure 3, as a share of an image's width."""


@styled
def draw_reconstructions(
    clean: np.ndarray,
    noisy: np.ndarray,
    denoised: np.ndarray,
    *,
    names: Sequence[str],
    noisy_psnr: np.ndarray,
    denoised_psnr: np.ndarray,
    title: str,
) -> Figure:
    """Figure 1: a column a sample; clean, noisy and denoised rows. names, psnr: one a sample."""
    columns = len(clean)
    height = 0.7 + 3 * _row_height(clean, columns)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(3, columns, squeeze=False)

    worse = denoised_psnr <= noisy_psnr
    short = short_names(names, NAME_LENGTH)
    for column in range(columns):
        show(axes[0, column], clean[column], below=short[column])
        show(axes[1, column], noisy[column], below=_decibels(noisy_psnr[column]))
        show(
            axes[2, column],
            denoised[column],
            below=_decibels(denoised_psnr[column], worse=bool(worse[column])),
        )
    for row, label in enumerate(["clean", "noisy", "denoised"]):
        label_row(axes[row, 0], label)

    note = f"below each image: its PSNR against the clean one{_worse_note(worse)}"
    figure.supxlabel(note, fontsize=8)
    figure.suptitle(title)
    return figure


@styled
def draw_error_maps(
    clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray, *, names: Sequence[str], title: str
) -> Figure:
    """Figure 2: clean, noisy, denoised, and the absolute error of each pixel; brighter is worse.

    The error is the mean over channels. All error maps have one scale.
    """
    error = np.abs(denoised - clean).mean(axis=-1)
    columns = len(clean)
    height = 0.5 + 4 * _row_height(clean, columns + 1)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(4, columns, squeeze=False)

    top = error.max()
    for column, name in enumerate(short_names(names, NAME_LENGTH)):
        show(axes[0, column], clean[column], above=name)
        show(axes[1, column], noisy[column])
        show(axes[2, column], denoised[column])
        mean = f"MAE {error[column].mean():.3f}"
        show(axes[3, column], error[column], below=mean, cmap="inferno", top=top)
    for row, label in enumerate(["clean", "noisy", "denoised", "absolute error"]):
        label_row(axes[row, 0], label)

    bar = figure.colorbar(axes[3, -1].images[0], ax=axes, shrink=0.7, pad=0.02, aspect=30)
    bar.set_label("|denoised − clean| of a pixel, for pixels in [0, 1]")
    figure.suptitle(title)
    return figure


@styled
def draw_noise_robustness(
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
    """Figure 3: a block of columns a sample, a column a noise level; original, noisy, denoised.

    clean: [S, H, W, C]; noisy, denoised: [S, L, H, W, C]; psnr: dB[S, L]; levels: standard
    deviations.
    """
    samples = len(clean)
    columns = len(levels)
    height = 0.85 + 3 * _row_height(clean, samples * columns)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    short = short_names(names, NAME_LENGTH)
    widths = ([1.0] * columns + [GAP]) * (samples - 1) + [1.0] * columns
    grid = figure.add_gridspec(3, len(widths), width_ratios=widths)

    for sample, column in np.ndindex(samples, columns):
        place = sample * (columns + 1) + column
        top, middle, bottom = (figure.add_subplot(grid[row, place]) for row in range(3))

        show(top, clean[sample], above=f"noise {levels[column]:g}", below=short[sample])
        before = float(noisy_psnr[sample, column])
        after = float(denoised_psnr[sample, column])
        show(middle, noisy[sample, column], below=_decibels(before))
        show(bottom, denoised[sample, column], below=_decibels(after, worse=after <= before))

        if sample == column == 0:
            label_row(top, "original")
            label_row(middle, "noisy")
            label_row(bottom, "denoised")

    units = "noise: standard deviation, pixels in [0, 1]; below: PSNR against the original"
    figure.supxlabel(units + _worse_note(denoised_psnr <= noisy_psnr), fontsize=8)
    figure.suptitle(title)
    return figure


def _row_height(images: np.ndarray, columns: int) -> float:
    """Return the height of a row of images and its captions, in inches."""
    height, width = images.shape[-3:-1]
    return (WIDTH - 0.4) / columns * height / width + 0.18


def _decibels(value: float, *, worse: bool = False) -> str:
    return f"{value:.1f} dB{WORSE if worse else ''}"


def _worse_note(worse: np.ndarray) -> str:
    if not worse.any():
        return ""

    return f"; {WORSE} no better than the noisy image: {int(worse.sum())} of {worse.size}"
