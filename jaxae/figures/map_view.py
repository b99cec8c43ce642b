"""The part of the latent plane that a map shows, and how points are drawn on it.

Points are f[N, 2].
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from jaxae.figures.style import SMALL, class_colours, short_names

FEW = 10
"""Most classes that a legend names in full."""
NAME_LENGTH = 10
"""Most characters of the name of one of many classes."""
FEW_NAME_LENGTH = 18
"""Most characters of the name of one of a few classes."""
DIMENSIONS = ("latent dimension 1", "latent dimension 2")
EDGE: Any = {"edgecolors": "black", "linewidths": 0.3, "clip_on": False, "zorder": 4}
"""The look of a point outside the map."""
FEW_LEGEND: Any = {"ncols": 5, "fontsize": 7.5}
MANY_LEGEND: Any = {"ncols": 10, "fontsize": 5.5, "columnspacing": 0.8, "handletextpad": 0}


class View(NamedTuple):
    """The limits of a map, f64[2] each."""

    low: np.ndarray
    high: np.ndarray

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Return which points lie outside, bool[N]."""
        return np.asarray(((points < self.low) | (points > self.high)).any(axis=1))


def robust_view(points: np.ndarray) -> View:
    """Return limits that a few points far away do not stretch, fences as in Tukey's box plot.

    In each dimension the middle 90 % of the points fill at least half of the map.
    """
    low, high = np.quantile(points, [0.05, 0.95], axis=0)
    reach = (high - low) / 2
    near = points[~View(low - reach, high + reach).outside(points)]
    if not len(near):
        near = points

    margin = 0.04 * np.maximum(np.ptp(near, axis=0), 1e-6)
    return View(near.min(axis=0) - margin, near.max(axis=0) + margin)


def aspect(view: View) -> float:
    """Return the height of a map divided by its width, as `set_view` draws it."""
    width, height = view.high - view.low
    return float(height / width) if 0.5 <= height / width <= 2 else 0.75


def set_view(
    axes: Axes, view: View, *, ticks: bool = True, dimensions: tuple[str, str] = DIMENSIONS
) -> None:
    """Set the limits, with one scale for both dimensions.

    The scales differ only where one scale would leave more than half of the panel empty.
    """
    width, height = view.high - view.low
    axes.set(xlim=(view.low[0], view.high[0]), ylim=(view.low[1], view.high[1]))
    axes.set_aspect("equal" if 0.5 <= height / width <= 2 else "auto")

    if ticks:
        axes.set(xlabel=dimensions[0], ylabel=dimensions[1])
        axes.locator_params(nbins=6)
    else:
        axes.set(xticks=[], yticks=[])


def draw_points(
    axes: Axes, points: np.ndarray, colours: np.ndarray, view: View, *, size: float
) -> None:
    """Draw a dot for each point inside, and a triangle at the edge for each one outside.

    colours: f[N, 3] or f[N, 4].
    """
    far = view.outside(points)
    axes.scatter(points[~far, 0], points[~far, 1], s=size, c=colours[~far], linewidths=0)

    if far.any():
        x, y = np.clip(points[far], view.low, view.high).T
        axes.scatter(x, y, s=4 * size + 6, c=colours[far], marker="^", **EDGE)


def note_outside(axes: Axes, points: np.ndarray, view: View) -> None:
    """Write above the map how many points are drawn at its edge, if there are any."""
    count = int(view.outside(points).sum())
    if not count:
        return

    text = f"{count:,} of {len(points):,} points lie outside and are drawn at the edge (triangles)"
    axes.annotate(
        text, (0.5, 1.01), xycoords="axes fraction", ha="center", va="bottom", fontsize=SMALL
    )


def add_class_legend(figure: FigureBase, names: Sequence[str]) -> None:
    """Add the colours of the classes below a figure; the names of many classes are cut."""
    if not names:
        return

    few = len(names) <= FEW
    marks = [
        Line2D([], [], marker="o", ls="", ms=4, color=colour)
        for colour in class_colours(len(names))
    ]
    figure.legend(
        marks,
        short_names(names, FEW_NAME_LENGTH if few else NAME_LENGTH),
        loc="outside lower center",
        frameon=False,
        **(FEW_LEGEND if few else MANY_LEGEND),
    )
