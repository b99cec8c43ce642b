"""The few pieces of HTML that a report is made of. All text is escaped here."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxae.figures.style import Figure

DOTS_AN_INCH = 150


class Row(NamedTuple):
    """A row of a table: a name and its values."""

    name: str
    values: Sequence[str]
    highlighted: bool = False


def table(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a table, which scrolls by itself if the page is narrower."""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(_row(row) for row in rows)
    content = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{content}</table></div>'


def _row(row: Row) -> str:
    name = f'<th scope="row">{html.escape(row.name)}</th>'
    values = "".join(f"<td>{html.escape(value)}</td>" for value in row.values)
    style = ' class="ours"' if row.highlighted else ""
    return f"<tr{style}>{name}{values}</tr>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of names with their descriptions, which are HTML."""
    items = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs
    )
    return f"<dl>{items}</dl>"


def text(value: object, *, kind: str = "p") -> str:
    """Return an element of this kind with the value as its text."""
    return f"<{kind}>{html.escape(str(value))}</{kind}>"


def source(value: str) -> str:
    """Return a note that says where the numbers above come from."""
    return f'<p class="source">{html.escape(value)}</p>'


def link(target: str, words: str) -> str:
    """Return a link to a file next to the report."""
    return f'<a href="{html.escape(target)}">{html.escape(words)}</a>'


def picture(figure: Figure, *, caption: str, alt: str) -> str:
    """Return the figure as a picture inside the page."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_AN_INCH, metadata={"Software": None})
    data = base64.b64encode(png.getvalue()).decode()

    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    size = f'width="{width}" height="{height}"'
    image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" {size}>'
    return f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"
