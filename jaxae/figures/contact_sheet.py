"""A contact sheet: pairs of images with their names. From arrays to a matplotlib Figure."""

from collections.abc import Sequence

import numpy as np

from jaxae.figures.style import WIDTH, Figure, label_row, short_names, show, styled

COLUMNS = 8
NAME_LENGTH = 14
"""Most characters of a name: what an eighth of the page holds."""
CAPTIONS = 0.34
"""Height of the two lines of text of a pair, in inches."""


@styled
def draw_contact_sheet(
    above: np.ndarray,
    below: np.ndarray,
    *,
    names: Sequence[str],
    notes: Sequence[str],
    rows: tuple[str, str],
    title: str,
) -> Figure:
    """Draw pairs of images f[N, H, W, C] in [0, 1] one above the other, eight in a band.

    names, notes: above and below each pair. rows: what the two images of a pair are.
    """
    bands = -(-len(above) // COLUMNS)
    ratio = above.shape[1] / above.shape[2]
    height = 0.45 + bands * (2 * (WIDTH - 0.6) / COLUMNS * ratio + CAPTIONS + 0.1)

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(2 * bands, COLUMNS, squeeze=False)
    short = short_names(names, NAME_LENGTH)

    for number in range(bands * COLUMNS):
        band, column = divmod(number, COLUMNS)
        upper, lower = panels[2 * band, column], panels[2 * band + 1, column]
        if number >= len(above):
            upper.remove()
            lower.remove()
            continue

        show(upper, above[number], above=short[number])
        show(lower, below[number], below=notes[number])
        for axes in (upper, lower):
            axes.title.set_fontsize(6)
            axes.xaxis.label.set_fontsize(6)
        if column == 0:
            label_row(upper, rows[0])
            label_row(lower, rows[1])
    return figure
