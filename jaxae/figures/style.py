"""Colours and panels that all figures share."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes

TEN_COLOURS = list(matplotlib.color_sequences["petroff10"])
TEN_COLOURS[8] = (0.1, 0.1, 0.1)  # its second grey is too near the first, and to the backdrop of the small panels


def show(axes: Axes, image: np.ndarray, *, above: str = "", below: str = "", cmap: str = "gray", top: float = 1.0) -> None:
    """One image without ticks, black at 0 and white, or the map's brightest, at top."""
    axes.imshow(image, cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(above, fontsize=9)
    axes.set_xlabel(below, fontsize=9)


def label_row(axes: Axes, label: str) -> None:
    """Names the row that these axes begin."""
    axes.set_ylabel(label, fontsize=11)
