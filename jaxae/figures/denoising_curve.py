"""The contents of noise_curve.json → a matplotlib Figure, as in figures: no I/O, no JAX, no global state."""

from typing import Any

import numpy as np
from matplotlib.figure import SubFigure

from jaxae.figures.style import SMALL, TEN_COLOURS, WIDTH, Figure, label_row, show, styled

KINDS = [TEN_COLOURS[0], *TEN_COLOURS[7:], (0.35, 0.65, 0.3)]
"""Colours of the kinds of noise; only Gaussian noise, which is the model's own, has one of the upper panels'."""


@styled
def denoising_curve(
    curve: dict[str, Any], *, examples: dict[str, tuple[np.ndarray, np.ndarray]], title: str
) -> Figure:
    """The contents of noise_curve.json: MSE, PSNR, SSIM by level for all methods; and noise never trained on, with examples.

    examples: for each kind of noise an image after it, and that image denoised, f32[H, W, C] both.
    """
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, height_ratios=[1.15, 1]))
    _draw_levels(above, curve)
    left, right = below.subfigures(1, 2, width_ratios=[1, 1.35])
    _draw_unseen(left, curve["unseen"])
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


def _draw_levels(figure: SubFigure, curve: dict[str, Any]) -> None:
    panels = figure.subplots(1, 3)
    labels = {"mse": "mean squared error", "psnr_db": "PSNR of the MSE, dB", "ssim": "SSIM"}
    for axes, (metric, label) in zip(panels, labels.items(), strict=True):
        for number, (name, row) in enumerate(curve["rows"].items()):
            values = np.array(row[metric], np.float64)  # null becomes nan, and is not drawn
            style = _style(number)
            axes.plot(curve["levels"], values.mean(axis=1), label=name, **style)
            axes.fill_between(
                curve["levels"],
                values.min(axis=1),
                values.max(axis=1),
                color=style["color"],
                alpha=0.3,
                lw=0,
            )
        axes.axvspan(
            *curve["trained_noise"],
            facecolor="0.9",
            edgecolor="0.5",
            ls=":",
            lw=1.5,
            zorder=0,
            label="trained noise",
        )
        if curve["break_even"] is not None:
            axes.axvline(
                curve["break_even"],
                color="0.5",
                ls="--",
                lw=1.5,
                label=f"break-even, {curve['break_even']:.3f}",
            )
        axes.set(xlabel="noise: standard deviation", ylabel=label, xlim=(0, max(curve["levels"])))
        axes.grid(alpha=0.3)
    panels[0].set_ylim(0, 0.12)
    panels[1].set_ylim(5, 30)  # without noise some rivals are perfect
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
    )


def _draw_unseen(figure: SubFigure, unseen: dict[str, Any]) -> None:
    axes = figure.subplots()
    for number, (kind, points) in enumerate(unseen.items()):
        given, got = (
            np.array([point[key] for point in points]) for key in ("input_mse", "output_mse")
        )
        style = _style(number) | {"color": KINDS[number]}
        axes.plot(
            given.mean(axis=1),
            got.mean(axis=1),
            label=kind + (" (trained on)" if not number else ""),
            **style,
        )
        axes.fill_between(
            given.mean(axis=1),
            got.min(axis=1),
            got.max(axis=1),
            color=style["color"],
            alpha=0.3,
            lw=0,
        )
    top = axes.get_xlim()[1]
    axes.plot([0, top], [0, top], color="0.5", ls="--", lw=1.5, label="do nothing")
    axes.set(xlabel="MSE of the input", ylabel="MSE of the output", xlim=(0, top))
    axes.set_title("jaxae under other kinds of noise, at matched error")
    axes.set_ylim(
        0, 1.15 * max(np.max(point["output_mse"]) for points in unseen.values() for point in points)
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=SMALL)


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
