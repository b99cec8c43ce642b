"""Losses and learning rate by epoch, from the rows of metrics.jsonl to a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter, MaxNLocator

from jaxae.figures.style import TEN_COLOURS, WIDTH, Colour, Figure, styled

Row = Mapping[str, Any]
STAR: Any = {"marker": "*", "ms": 9, "ls": "", "color": "black", "zorder": 4}
"""The look of a best epoch."""


@styled
def draw_training_curves(members: Sequence[Sequence[Row]], *, title: str) -> Figure:
    """Draw training and validation loss and, on an axis of its own, the learning rate.

    members: the rows of one run, or of each member of a population. Then lines are means, and
    bands go from the lowest to the highest member.
    """
    members = [rows for rows in members if rows]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])

    training = "training (mean of the epoch's steps)"
    _draw_losses(losses, members, "train_loss", label=training, colour=TEN_COLOURS[1])
    _draw_losses(losses, members, "validation_loss", label="validation", colour=TEN_COLOURS[0])
    _mark_best(losses, members)
    for rows in members:
        _draw_rate(rates, rows)

    losses.set(ylabel="loss: MSE + L1", yscale="log")
    losses.yaxis.set_major_formatter(lambda loss, _: _short(loss, 2))
    losses.yaxis.set_minor_formatter(lambda loss, _: _short(loss, 2))
    losses.legend()
    rates.set(xlabel="epoch", ylabel="learning rate", yscale="log")
    rates.yaxis.set_major_formatter(LogFormatter())
    rates.yaxis.set_minor_formatter(LogFormatter())
    rates.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _draw_losses(
    axes: Axes, members: Sequence[Sequence[Row]], name: str, *, label: str, colour: Colour
) -> None:
    epochs = np.unique([row["epoch"] for rows in members for row in rows])
    values = np.full((len(members), len(epochs)), np.nan)
    for number, rows in enumerate(members):
        places = np.searchsorted(epochs, [row["epoch"] for row in rows])
        values[number, places] = [row[name] for row in rows]

    # A broken log may have a row without a number.
    there = ~np.isnan(values).all(axis=0)
    epochs = epochs[there]
    values = values[:, there]

    if len(members) > 1:
        label += " (mean; band: all members)"
        low = np.nanmin(values, axis=0)
        high = np.nanmax(values, axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(epochs, np.nanmean(values, axis=0), color=colour, label=label)


def _mark_best(axes: Axes, members: Sequence[Sequence[Row]]) -> None:
    """Mark the best epoch of each member; one line of the legend names them all."""
    best = [[row for row in rows if row["best"]] for rows in members]
    last = [rows[-1] for rows in best if rows]
    if len(members) > 1:
        label = f"best epoch of each of {len(members)} members"
    elif last:
        label = f"best epoch, {last[0]['epoch']}: {_short(last[0]['validation_loss'], 4)}"
    else:
        return

    epochs = [row["epoch"] for row in last]
    losses = [row["validation_loss"] for row in last]
    axes.plot(epochs, losses, label=label, **STAR)


def _draw_rate(axes: Axes, rows: Sequence[Row]) -> None:
    epochs, rates = np.array([[row["epoch"], row["learning_rate"]] for row in rows]).T
    axes.step(epochs, rates, where="mid", color="0.3", lw=1)
    drops = np.flatnonzero(rates[1:] < rates[:-1]) + 1
    axes.plot(epochs[drops], rates[drops], marker="v", ls="", ms=3.5, color="black")


def _short(loss: float, decimals: int) -> str:
    """Return a loss for people; of a diverged run, whose figures have no end, the magnitude."""
    return f"{loss:.{decimals}f}" if abs(loss) < 1e4 else f"{loss:.0e}"
