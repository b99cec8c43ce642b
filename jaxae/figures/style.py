"""Colours, sizes and panels that all figures share.

Figures are as wide as a page of the README shows them: at 7.2 inches and 200 dots an inch, 8-point text is legible there.
Colours hold for colour-blind readers: inferno and cividis are perceptually uniform, and ten classes take Petroff's ten
accessible colours. More classes take colours as far from those, and from each other, as can be.
"""

import functools
import io
from collections.abc import Callable
from typing import Any, ParamSpec

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes

WIDTH = 7.2
SMALL = 7
P = ParamSpec("P")
TEN_COLOURS: list[Any] = list(matplotlib.color_sequences["petroff10"])
TEN_COLOURS[8] = (
    0.1,
    0.1,
    0.1,
)  # its second grey is too near the first, and to the backdrop of the small panels
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 10,
    "legend.fontsize": 7.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}


class Figure(matplotlib.figure.Figure):
    """matplotlib's, which a notebook shows as a picture although pyplot knows nothing of it."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=100)
        return picture.getvalue()


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that draws a figure, with the sizes of this page whatever the user's settings are."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapped


@functools.cache
def class_colours(count: int) -> list[Any]:
    """A colour, RGB, for each of so many classes: the ten, then each time the one farthest from those before it, in CIELAB.

    Far for normal vision and without green receptors (Viénot, Brettel & Mollon 1999), whichever sees less of a difference.
    """
    if count <= len(TEN_COLOURS):
        return TEN_COLOURS[:count]
    from skimage.color import rgb2lab  # here, not above: few need it, and it is slow to import

    steps = np.linspace(0, 1, 11)
    candidates = np.concatenate(
        [TEN_COLOURS, np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)]
    )
    without_green = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    views = [rgb2lab(candidates), rgb2lab(np.clip(candidates @ without_green.T, 0, 1))]
    views[0][len(TEN_COLOURS) :][
        (views[0][len(TEN_COLOURS) :, 0] < 25) | (views[0][len(TEN_COLOURS) :, 0] > 85)
    ] = np.nan
    chosen, nearest = list(range(len(TEN_COLOURS))), np.full(len(candidates), np.inf)
    for each in range(count):
        if each >= len(chosen):
            chosen.append(int(np.nanargmax(nearest)))
        nearest = np.minimum(
            nearest,
            np.min([np.linalg.norm(view - view[chosen[each]], axis=1) for view in views], axis=0),
        )
    return [tuple(candidates[each]) for each in chosen]


def point_colours(labels: np.ndarray | None, count: int, *, classes: int) -> np.ndarray:
    """The colour of each of so many points: its class's, or one for all where there are no labels. f[N, 3]."""
    return np.array(class_colours(max(classes, 1)))[
        np.zeros(count, int) if labels is None else labels
    ]


def shorten(name: str, most: int) -> str:
    """The name, cut to so many letters."""
    return name if len(name) <= most else name[: most - 1] + "…"


def show(
    axes: Axes,
    image: np.ndarray,
    *,
    above: str = "",
    below: str = "",
    cmap: str = "gray",
    top: float = 1.0,
) -> None:
    """One image [H, W] or [H, W, C] without ticks; of one channel black at 0 and white, or the map's brightest, at top."""
    axes.imshow(picture(image), cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(above, pad=3)
    axes.set_xlabel(below, labelpad=2)


def picture(image: np.ndarray) -> np.ndarray:
    """What matplotlib shows: [H, W, 3] of three channels, [H, W], the mean, of any other number."""
    return (
        image
        if image.ndim == 2 or image.shape[-1] == 3
        else image.mean(axis=-1)
        if image.shape[-1] > 1
        else image[..., 0]
    )


def mosaic(images: np.ndarray) -> np.ndarray:
    """Images [row, column, H, W, C], row 0 the lowest, as one picture whose first line is the top."""
    rows, columns, height, width, channels = images.shape
    return picture(images[::-1].swapaxes(1, 2).reshape(rows * height, columns * width, channels))


def label_row(axes: Axes, label: str) -> None:
    """Names the row that these axes begin."""
    axes.set_ylabel(label, fontsize=9)
