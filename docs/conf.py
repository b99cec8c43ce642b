"""Sphinx's configuration: the site is these pages, README and the docstrings (`make docs`)."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

import jaxae
from jaxae.config import GROUPS

ROOT = Path(__file__).parents[1]

project = "jaxae"
author = "the authors of jaxae"
copyright = "the authors of jaxae, Apache License 2.0"
version = release = jaxae.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
highlight_language = "text"  # of blocks that name no language: commands and what they print
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of signatures: those that have a page are linked

html_theme = "furo"
html_title = "jaxae"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_extra_path = ["explorer.html"]
html_show_sourcelink = False
html_show_search_summary = False  # it is fetched, which a page opened as a file may not do

myst_heading_anchors = 4
myst_links_external_new_tab = False
nb_execution_mode = "cache"  # executed again when its cells change; `make clean` forgets
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 100


class SourceLinks(SphinxTransform):
    """Turn links to the repository's other files into links to pages that show them."""

    default_priority = 5

    def apply(self, **_: object) -> None:
        links = [*self.document.findall(addnodes.download_reference)]
        links += [
            link
            for link in self.document.findall(addnodes.pending_xref)
            if link["reftype"] == "myst" and not link["reftarget"].startswith("#")
        ]
        for link in links:
            path = self._file(link["reftarget"])
            if path and path.suffix == ".md" and path.stem.lower() in self.env.found_docs:
                link["refdomain"] = "doc"
                link["reftarget"] = path.stem.lower()
                link["reftargetid"] = None
            elif path:
                self._show(link, path)

    def _file(self, target: str) -> Path | None:
        """Return the file outside the site that a link names: from a page, or from README."""
        for folder in (ROOT / "docs", ROOT):
            for name in (target, f"{target}.md"):
                path = (folder / name).resolve()
                if path.is_file():
                    inside = path.parent == ROOT / "docs" and path.suffix in (".md", ".ipynb")
                    return None if inside else path
        return None

    def _show(self, link: nodes.Element, path: Path) -> None:
        up = "../" * self.env.docname.count("/")
        if path == ROOT / "docs" / "explorer.html":
            target = path.name
        else:
            name = path.relative_to(ROOT).as_posix()
            self.env.__dict__.setdefault("shown_files", set()).add(name)
            target = f"source/{name}.html"
        link.replace_self(nodes.reference("", "", *link.children, refuri=up + target))


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield pages with the text of jaxae's modules, and of the other files that pages link to."""
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "jaxae").rglob("*.py")}
    languages = {".py": "python", ".js": "javascript", ".md": "markdown"}

    for name in sorted(modules | getattr(app.env, "shown_files", set())):
        text = (ROOT / name).read_text()
        language = languages.get(Path(name).suffix, "text")
        code = app.builder.highlighter.highlight_block(text, language, lineanchors="line")
        yield f"source/{name}", {"title": name, "body": f"<h1>{name}</h1>{code}"}, "page.html"


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return where the source of a documented name is, as seen from the site's top."""
    value = importlib.import_module(info["module"])
    for part in info["fullname"].split("."):
        value = getattr(value, part, None)
    try:
        found = inspect.unwrap(value)
        path = Path(inspect.getsourcefile(found)).relative_to(ROOT)
        _, line = inspect.getsourcelines(found)
    except (TypeError, ValueError):  # a field, or a method of another library
        return None
    return f"source/{path.as_posix()}.html#line-{line}"


class RecipeOptions(SphinxDirective):
    """Make the table of a recipe's options from the fields of Config and their docstrings."""

    def run(self) -> list[nodes.Node]:
        explained = ModuleAnalyzer.for_module("jaxae.config").find_attr_docs()
        lines = ["| option | default | |", "|---|---|---|"]
        for group in GROUPS:
            lines.append(f"| **{group.__doc__.rstrip('.')}** | | |")
            for field in dataclasses.fields(group):
                words = " ".join(explained[group.__name__, field.name]).strip()
                lines.append(f"| `{field.name}` | `{field.default!r}` | {words} |")
        return self.parse_text_to_nodes("\n".join(lines))


SHORT_TYPES = {
    r"[\w.~]*Array \| [^,=]*\[[\w.~]*ArrayTree\] \| [^=]*?ArrayTree\]": "OptState",
    r"[\w.~]*Buffer \| [\w.~]*_SupportsArray.*?complex \| bytes \| str\]": "ArrayLike",
    r"[\w.~]*Array \| [\w.~]*ndarray \| [\w.~]*bool_? \| [\w.~]*number( \| [\w.~]+)*": "ArrayLike",
    r", parent: .*?, name: str \| None = None": "",
    r"<function (\w+)>": r"\1",
}
"""What Python spells out in signatures, and what the code says: aliases of optax, NumPy and JAX,
the fields that Flax adds to every module, and functions.
"""


def shorten_types(
    app: Sphinx, what: str, name: str, obj: object, options: object, arguments: str, result: str
) -> tuple[str, str] | None:
    """Return a signature with its types as the code has them; None for what has no signature."""
    if not arguments:
        return None
    for spelled_out, short in SHORT_TYPES.items():
        arguments = re.sub(spelled_out, short, arguments)
    return arguments, result


def read_plain_text(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn a docstring, which is plain text with `code` and examples, into reStructuredText.

    "name: what it is" of a parameter becomes an entry of the list of parameters.
    """
    try:
        parameters = "|".join(inspect.signature(obj).parameters) or "-"
    except (TypeError, ValueError):
        parameters = "-"
    begins = rf"(?:^|(?<=\. )|(?<=…\. ))((?:{parameters})(?:, (?:{parameters}))*): "

    result = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip()):
        if paragraph.startswith("Alias for field number"):  # what Python says of a NamedTuple's
            continue
        if paragraph.startswith(">>>"):
            result.append(paragraph)
            continue
        text = re.sub(r"([|*])", r"\\\1", " ".join(paragraph.split()))
        text = re.sub(r"`([^`]+)`", r"``\1``", text)
        text = re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)

        raises = re.search(r"(?:^|(?<=\. ))Raises .*$", text)
        if raises:
            text = text[: raises.start()]
        prose, *entries = re.split(begins, text)
        result.append(prose)
        if raises:
            result.append(raises[0])
        fields = []
        for names, meaning in zip(entries[::2], entries[1::2], strict=True):
            fields += [f":param {each}: {meaning}" for each in names.split(", ")]
        result.append("\n".join(fields))
    lines[:] = "\n\n".join(result).split("\n")


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.add_transform(SourceLinks)
    app.add_directive("recipe-options", RecipeOptions)
    app.connect("html-collect-pages", source_pages)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("autodoc-process-docstring", read_plain_text)
