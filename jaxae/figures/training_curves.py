"""Losses and learning rate by epoch, from the rows of metrics.jsonl → a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxae.figures.style import TEN_COLOURS, WIDTH, Figure, styled

LOSSES = {
    "train_loss": ("training (with dropout)", TEN_COLOURS[1]),
    "validation_loss": ("validation", TEN_COLOURS[0]),
}


@styled
def training_curves(members: Sequence[Sequence[Mapping[str, Any]]], *, title: str) -> Figure:
    """Training and validation loss and, on an axis of its own, the learning rate with its drops.

    members: the rows of one run, or of each member of a population: then lines are means, and bands reach over all members.
    """
    members = [rows for rows in members if rows]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    epochs = np.unique([row["epoch"] for rows in members for row in rows])
    for name, (label, colour) in LOSSES.items():
        values = np.array([_by_epoch(rows, name, epochs) for rows in members])
        _draw_band(losses, epochs, values, label=label, colour=colour)
    for rows in members:
        best = [row for row in rows if row["best"]][-1:]
        for row in best:
            marker = (
                f"best epoch, {row['epoch']}: {_short(row['validation_loss'], 4)}"
                if len(members) == 1
                else None
            )
            losses.plot(
                row["epoch"],
                row["validation_loss"],
                marker="*",
                ms=9,
                ls="",
                color="black",
                label=marker,
                zorder=4,
            )
        _draw_rate(rates, rows)
    if len(members) > 1:
        losses.plot(
            [],
            [],
            marker="*",
            ms=9,
            ls="",
            color="black",
            label=f"best epoch of each of {len(members)} members",
        )
    losses.set(ylabel="loss: MSE + L1", yscale="log")
    losses.yaxis.set_major_formatter(lambda loss, _: _short(loss, 2))
    losses.yaxis.set_minor_formatter(lambda loss, _: _short(loss, 2))
    rates.xaxis.set_major_locator(MaxNLocator(integer=True))
    rates.set(xlabel="epoch", ylabel="learning rate", yscale="log")
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
    losses.legend()
    figure.suptitle(title)
    return figure


def _short(loss: float, decimals: int) -> str:
    """A loss with so many decimals; of a broken run, whose figures would be wider than the page, its magnitude."""
    return f"{loss:.{decimals}f}" if abs(loss) < 1e4 else f"{loss:.0e}"


def _by_epoch(rows: Sequence[Mapping[str, Any]], name: str, epochs: np.ndarray) -> np.ndarray:
    """The values of the epochs, nan where a row is missing."""
    values = np.full(len(epochs), np.nan)
    values[np.searchsorted(epochs, [row["epoch"] for row in rows])] = [row[name] for row in rows]
    return values


def _draw_band(
    axes: Axes, epochs: np.ndarray, values: np.ndarray, *, label: str, colour: Any
) -> None:
    there = ~np.isnan(values).all(axis=0)
    mean, low, high = (f(values[:, there], axis=0) for f in (np.nanmean, np.nanmin, np.nanmax))
    axes.plot(
        epochs[there],
        mean,
        color=colour,
        label=label + (" (mean; band: all members)" if len(values) > 1 else ""),
    )
    if len(values) > 1:
        axes.fill_between(epochs[there], low, high, color=colour, alpha=0.25, lw=0)


def _draw_rate(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    epochs, rates = np.array([[row["epoch"], row["learning_rate"]] for row in rows]).T
    axes.step(epochs, rates, where="mid", color="0.3", lw=1)
    drops = np.flatnonzero(rates[1:] < rates[:-1]) + 1
    axes.plot(epochs[drops], rates[drops], marker="v", ls="", ms=3.5, color="black")
