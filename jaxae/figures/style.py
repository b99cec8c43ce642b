"""Colours and panels that all figures share."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes

TEN_COLOURS = list(matplotlib.color_sequences["petroff10"])
TEN_COLOURS[8] = (0.1, 0.1, 0.1)  # its second grey is too near the first, and to the backdrop of the small panels


def point_colours(labels: np.ndarray | None, count: int) -> np.ndarray:
    """The colour of each of so many points: its class's, or one for all where there are no labels. f[N, 3]."""
    return np.array(TEN_COLOURS)[np.zeros(count, int) if labels is None else labels]


def show(axes: Axes, image: np.ndarray, *, above: str = "", below: str = "", cmap: str = "gray", top: float = 1.0) -> None:
    """One image [H, W] or [H, W, C] without ticks; of one channel black at 0 and white, or the map's brightest, at top."""
    axes.imshow(picture(image), cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(above, fontsize=9)
    axes.set_xlabel(below, fontsize=9)


def picture(image: np.ndarray) -> np.ndarray:
    """What matplotlib shows: [H, W] of one channel, [H, W, 3] of colours."""
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def label_row(axes: Axes, label: str) -> None:
    """Names the row that these axes begin."""
    axes.set_ylabel(label, fontsize=11)
