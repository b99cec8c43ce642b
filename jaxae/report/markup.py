"""The few pieces of HTML that a report is made of. All text is escaped here."""

import base64
import html
import io
from collections.abc import Iterable, Sequence

from jaxae.figures.style import Figure

DOTS_AN_INCH = 150


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; it scrolls by itself where the page is narrower. A row whose first cell begins with * is ours: it stands out."""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(_row(row) for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    ours, name = first.startswith("*"), html.escape(first.removeprefix("*"))
    rest = "".join(f"<td>{html.escape(cell)}</td>" for cell in others)
    return f'<tr{" class=ours" if ours else ""}><th scope="row">{name}</th>{rest}</tr>'


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and what they stand for, which is HTML."""
    return (
        "<dl>"
        + "".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs
        )
        + "</dl>"
    )


def text(value: object, *, kind: str = "p") -> str:
    """An element of that kind with the value as its text."""
    return f"<{kind}>{html.escape(str(value))}</{kind}>"


def source(value: str) -> str:
    """Where the numbers above come from."""
    return f'<p class="source">{html.escape(value)}</p>'


def link(target: str, words: str) -> str:
    """A link to a file beside the report."""
    return f'<a href="{html.escape(target)}">{html.escape(words)}</a>'


def picture(figure: Figure, *, caption: str, alt: str) -> str:
    """The figure as a picture inside the page."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_AN_INCH, metadata={"Software": None})
    data = base64.b64encode(png.getvalue()).decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    size = f'width="{width}" height="{height}"'
    image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" {size}>'
    return f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"
