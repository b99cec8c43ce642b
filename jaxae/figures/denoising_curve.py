"""Quality against noise. Arrays → a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from jaxae.figures.style import SMALL, TEN_COLOURS, WIDTH, Figure, label_row, show, styled

KINDS = [TEN_COLOURS[0], *TEN_COLOURS[7:], (0.35, 0.65, 0.3)]
"""Colours of the kinds of noise; only Gaussian noise, which is the model's own, has one of the upper panels'."""


@styled
def denoising_curve(
    levels: Sequence[float],
    methods: Mapping[str, Mapping[str, np.ndarray]],
    unseen: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    trained_noise: tuple[float, float],
    break_even: float | None,
    examples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
) -> Figure:
    """MSE, PSNR and SSIM by noise level for all methods; and noise never trained on, with examples.

    methods: by name, ours first, "mse", "psnr" and "ssim" f64[levels, draws], NaN if infinite.
    unseen: by kind of noise the MSE of input and output, f64[points, draws] each.
    trained_noise: the lowest and the highest level of training.
    examples: by kind of noise an image with it, and that image denoised, f32[H, W, C] each.
    """
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[1.15, 1]))
    _draw_levels(above, levels, methods, trained_noise, break_even)
    left, right = below.subfigures(1, 2, width_ratios=[1, 1.35])
    _draw_unseen(left, unseen)
    pictures = right.subplots(2, len(examples), squeeze=False)
    for column, (kind, pair) in enumerate(examples.items()):
        for row, image in enumerate(pair):
            show(pictures[row, column], image, above=kind if row == 0 else "")
    for row, label in enumerate(["input", "denoised"]):
        label_row(pictures[row, 0], label)
    right.suptitle(
        "one image, damaged by each noise as much\nas by Gaussian noise of 0.25", fontsize=8
    )
    figure.suptitle(title)
    return figure


def _draw_levels(
    figure: SubFigure,
    levels: Sequence[float],
    methods: Mapping[str, Mapping[str, np.ndarray]],
    trained_noise: tuple[float, float],
    break_even: float | None,
) -> None:
    panels = figure.subplots(1, 3)
    labels = {"mse": "mean squared error", "psnr": "PSNR of the MSE, dB", "ssim": "SSIM"}
    for axes, (metric, label) in zip(panels, labels.items(), strict=True):
        for number, (name, method) in enumerate(methods.items()):
            _draw_band(axes, np.asarray(levels), method[metric], label=name, **_style(number))
        axes.axvspan(
            *trained_noise,
            facecolor="0.9",
            edgecolor="0.5",
            ls=":",
            lw=1.5,
            zorder=0,
            label="trained noise",
        )
        if break_even is not None:
            label_of_line = f"break-even, {break_even:.3f}"
            axes.axvline(break_even, color="0.5", ls="--", lw=1.5, label=label_of_line)
        axes.set(xlabel="noise: standard deviation", ylabel=label, xlim=(0, max(levels)))
        axes.grid(alpha=0.3)

    panels[0].set_ylim(0, 0.12)
    panels[1].set_ylim(5, 30)  # without noise some rivals are perfect
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
    )


def _draw_unseen(figure: SubFigure, unseen: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    axes = figure.subplots()
    for number, (kind, (given, got)) in enumerate(unseen.items()):
        label = kind if number else f"{kind} (trained on)"
        style = _style(number) | {"color": KINDS[number]}
        _draw_band(axes, given.mean(axis=1), got, label=label, **style)

    top = axes.get_xlim()[1]
    axes.plot([0, top], [0, top], color="0.5", ls="--", lw=1.5, label="do nothing")
    axes.set(xlabel="MSE of the input", ylabel="MSE of the output", xlim=(0, top))
    axes.set_title("jaxae under other kinds of noise, at matched error")
    axes.set_ylim(0, 1.15 * max(got.max() for _, got in unseen.values() if got.size))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=SMALL)


def _draw_band(axes: Axes, x: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """Draw the mean over the draws as a line, and a band from the least to the greatest."""
    axes.plot(x, values.mean(axis=1), **style)
    low = values.min(axis=1)
    high = values.max(axis=1)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.3, lw=0)


def _style(number: int) -> dict[str, Any]:
    """A colour, a marker and a dash for the number-th curve; the first, which is ours, is the boldest."""
    width = 2.0 if number == 0 else 1.0
    return {
        "color": TEN_COLOURS[number],
        "marker": "oPsD^vX*"[number],
        "lw": width,
        "ms": 3,
        "zorder": 3 - 0.1 * number,
    }
