"""Quality against the strength of noise. From arrays to a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from jaxae.figures.style import SMALL, TEN_COLOURS, WIDTH, Figure, label_row, show, styled

METRICS = {"mse": "mean squared error", "psnr": "PSNR of the MSE, dB", "ssim": "SSIM"}
MARKERS = "oPsD^vX*"
KIND_COLOURS = [TEN_COLOURS[0], *TEN_COLOURS[7:], (0.35, 0.65, 0.3)]
"""Colours of the kinds of noise. Only Gaussian noise shares one with the methods: the model's."""


@styled
def draw_noise_curve(
    levels: Sequence[float],
    methods: Mapping[str, Mapping[str, np.ndarray]],
    unseen: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    trained_noise: tuple[float, float],
    break_even: float | None,
    examples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
) -> Figure:
    """Draw MSE, PSNR and SSIM by noise level for all methods; below them unseen kinds of noise.

    methods: by name, ours first: "mse", "psnr" and "ssim", f64[levels, draws], NaN if infinite.
    unseen: by kind of noise the MSE of input and output, f64[points, draws] each; Gaussian first.
    trained_noise: the lowest and the highest level of training.
    examples: by kind of noise an image with it, and that image denoised, f32[H, W, C] each.
    """
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[1.15, 1]))
    left, right = below.subfigures(1, 2, width_ratios=[1, 1.35])

    panels = above.subplots(1, 3)
    for axes, (metric, label) in zip(panels, METRICS.items(), strict=True):
        values = {name: method[metric] for name, method in methods.items()}
        _draw_methods(axes, np.asarray(levels), values)
        _mark_levels(axes, trained_noise, break_even)
        axes.set(xlabel="noise: standard deviation", ylabel=label, xlim=(0, max(levels)))
        axes.grid(alpha=0.3)

    # Without noise some rivals are perfect: their PSNR is infinite.
    panels[0].set_ylim(0, 0.12)
    panels[1].set_ylim(5, 30)
    handles, labels = panels[0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)

    _draw_unseen(left, unseen)
    _draw_examples(right, examples)
    figure.suptitle(title)
    return figure


def _draw_methods(axes: Axes, levels: np.ndarray, methods: Mapping[str, np.ndarray]) -> None:
    for number, (name, values) in enumerate(methods.items()):
        _draw_band(axes, levels, values, label=name, **_style(number))


def _mark_levels(axes: Axes, trained_noise: tuple[float, float], break_even: float | None) -> None:
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
        label = f"break-even, {break_even:.3f}"
        axes.axvline(break_even, color="0.5", ls="--", lw=1.5, label=label)


def _draw_unseen(figure: SubFigure, unseen: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    axes = figure.subplots()
    for number, (kind, (given, got)) in enumerate(unseen.items()):
        label = kind if number else f"{kind} (trained on)"
        style = {**_style(number), "color": KIND_COLOURS[number]}
        _draw_band(axes, given.mean(axis=1), got, label=label, **style)

    right = axes.get_xlim()[1]
    top = 1.15 * max(got.max() for _, got in unseen.values() if got.size)
    axes.plot([0, right], [0, right], color="0.5", ls="--", lw=1.5, label="do nothing")
    axes.set(xlabel="MSE of the input", ylabel="MSE of the output", xlim=(0, right), ylim=(0, top))
    axes.set_title("jaxae under other kinds of noise, at matched error")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=SMALL)


def _draw_examples(
    figure: SubFigure, examples: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    panels = figure.subplots(2, len(examples), squeeze=False)
    for column, (kind, (noisy, denoised)) in enumerate(examples.items()):
        show(panels[0, column], noisy, above=kind)
        show(panels[1, column], denoised)
    label_row(panels[0, 0], "input")
    label_row(panels[1, 0], "denoised")

    note = "one image, damaged by each noise as much\nas by Gaussian noise of 0.25"
    figure.suptitle(note, fontsize=8)


def _draw_band(axes: Axes, x: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """Draw the mean over the draws as a line, and a band from the least to the greatest."""
    axes.plot(x, values.mean(axis=1), **style)
    low = values.min(axis=1)
    high = values.max(axis=1)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.3, lw=0)


def _style(number: int) -> dict[str, Any]:
    """Return the look of a curve; the first one, which is ours, is the boldest and on top."""
    return {
        "color": TEN_COLOURS[number],
        "marker": MARKERS[number],
        "lw": 1.0 if number else 2.0,
        "ms": 3,
        "zorder": 3 - 0.1 * number,
    }
