"""Colours, sizes and panels that all figures share.

A figure is 7.2 inches wide, the width at which README shows it, so that 8-point text is legible.
Colours are chosen for colour-blind readers: inferno and cividis are perceptually uniform, and up to
ten classes have Petroff's ten accessible colours. No list is as safe for more classes.
"""

import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import matplotlib
import matplotlib.figure
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes

WIDTH = 7.2
SMALL = 7
P = ParamSpec("P")
Colour = tuple[float, float, float]
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
    "text.parse_math": False,  # a name with $ is a name
}
WIDE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Micro Hei", "PingFang SC"),
    *("Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS"),
)
"""Fonts of Linux, macOS and Windows with Chinese, Japanese or Korean characters."""


def _ten_colours() -> list[Colour]:
    colours: list[Any] = list(matplotlib.color_sequences["petroff10"])
    # Its second grey is too close to the first, and to the backdrop of the small panels.
    colours[8] = (0.1, 0.1, 0.1)

    return colours


def _more_colours() -> list[Colour]:
    """Return shades of nine hues, one hue after the other, without greys and very pale colours."""
    dark: Any = matplotlib.color_sequences["tab20b"]
    light: Any = matplotlib.color_sequences["tab20c"][:16]

    colours = []
    for sequence, shades in ((dark, 4), (light, 3)):
        for shade in range(shades):
            colours += sequence[shade::4]

    return colours


TEN_COLOURS = _ten_colours()
MORE_COLOURS = _more_colours()


@functools.cache
def fonts() -> list[str]:
    """Return matplotlib's own font, and those of this machine for the characters that it lacks."""
    from matplotlib import font_manager  # here, not above: it reads the machine's fonts

    here = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in WIDE_FONTS if name in here)]


def own_style() -> contextlib.AbstractContextManager[None]:
    """Return a context with STYLE on matplotlib's defaults, without the user's matplotlibrc."""
    return matplotlib.style.context(STYLE | {"font.family": fonts()}, after_reset=True)


class Figure(matplotlib.figure.Figure):
    """A matplotlib Figure that a notebook shows as a picture without pyplot.

    It is laid out, drawn and saved in our own style too: matplotlib looks up fonts only then.
    """

    def draw(self, renderer: Any) -> None:
        with own_style():
            super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with own_style():
            super().savefig(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=100)
        return picture.getvalue()


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw in our own style, whatever the user's settings are."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with own_style():
            return draw(*args, **kwargs)

    return wrapped


def class_colours(count: int) -> list[Colour]:
    """Return an RGB colour for each of this many classes. After 42 classes colours repeat."""
    colours = [*TEN_COLOURS, *MORE_COLOURS]
    return [colours[number % len(colours)] for number in range(count)]


def point_colours(labels: np.ndarray | None, count: int, *, classes: int) -> np.ndarray:
    """Return the colours of points by class, f[count, 3]; one colour for all without labels."""
    if labels is None:
        labels = np.zeros(count, int)

    return np.array(class_colours(max(classes, 1)))[labels]


def short_names(names: Sequence[str], most: int) -> list[str]:
    """Return names of at most this many characters.

    Long ones lose their ends; if two became equal that way, all lose their middles instead.
    """
    ends = [_cut(name, most, tail=0) for name in names]
    if len(set(ends)) == len(set(names)):
        return ends
    return [_cut(name, most, tail=(most - 1) // 2) for name in names]


def _cut(name: str, most: int, *, tail: int) -> str:
    """Return the name with … for what is too long, before this many last characters."""
    if len(name) <= most:
        return name
    return name[: most - 1 - tail] + "…" + name[len(name) - tail :]


def show(
    axes: Axes,
    image: np.ndarray,
    *,
    above: str = "",
    below: str = "",
    cmap: str = "gray",
    top: float = 1.0,
) -> None:
    """Show an image [H, W] or [H, W, C] without ticks.

    A single channel goes from 0 to top: from black to white, or through the colours of cmap.
    """
    axes.imshow(picture(image), cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(above, pad=3)
    axes.set_xlabel(below, labelpad=2)


def picture(image: np.ndarray) -> np.ndarray:
    """Return what matplotlib can show of [H, W] or [H, W, C].

    Three channels are shown in colour, [H, W, 3]; of any other number the mean, [H, W].
    """
    if image.ndim == 2 or image.shape[-1] == 3:
        return image

    return image.mean(axis=-1)


def mosaic(images: np.ndarray) -> np.ndarray:
    """Return images [row, column, H, W, C] as one picture, with row 0 at the bottom."""
    rows, columns, height, width, channels = images.shape
    top_first = images[::-1].swapaxes(1, 2)

    return picture(top_first.reshape(rows * height, columns * width, channels))


def label_row(axes: Axes, label: str) -> None:
    """Write the name of a row next to its first panel."""
    axes.set_ylabel(label, fontsize=9)
