"""The report: one HTML file of a run, or of two next to each other.

It needs no server, no network and no script.
"""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from jaxae.digests import policy_digest
from jaxae.errors import readable
from jaxae.evaluation.records import Quality
from jaxae.report import about, results, sheets
from jaxae.report.agreement import Check
from jaxae.report.facts import Facts
from jaxae.report.markup import Row, source, table, text


class Described(NamedTuple):
    """A run, and what was compared of it."""

    facts: Facts
    checks: list[Check]


SECTIONS: dict[str, Callable[[Described], str]] = {
    "At a glance": lambda run: about.glance(run.facts),
    "What was trained, and on what": lambda run: about.origin(run.facts),
    "Training": lambda run: results.training(run.facts),
    "Quality": lambda run: results.quality(run.facts),
    "The latent space": lambda run: results.latent_space(run.facts),
    "Each class": lambda run: results.classes(run.facts),
    "Figures": lambda run: results.figures(run.facts),
    "Images by name": lambda run: sheets.by_name(run.facts),
    "Checks": lambda run: about.comparisons(run.checks),
    "Recipe": lambda run: about.recipe(run.facts),
}


def report_page(runs: Sequence[Described]) -> str:
    """Return the page as HTML. runs: one, or two to show next to each other."""
    names = _names([run.facts.place.absolute() for run in runs])

    sections: dict[str, str] = {}
    if len(runs) == 2:
        sections["Differences"] = _differences(names, runs[0].facts, runs[1].facts)
    for name, section in SECTIONS.items():
        sections[name] = _columns(names, [section(run) for run in runs])

    body = "".join(
        f'<section id="{_anchor(name)}">{text(name, kind="h2")}{content}</section>'
        for name, content in sections.items()
    )
    links = "".join(f'<a href="#{_anchor(name)}">{html.escape(name)}</a>' for name in sections)

    titles = list(dict.fromkeys(run.facts.dataset.title for run in runs))
    heading = f"{' and '.join(titles)}: {' and '.join(names)}"
    folder = Path(__file__).parent
    style = (folder / "style.css").read_text("utf-8")

    template = Template((folder / "template.html").read_text("utf-8"))
    return template.substitute(
        title=html.escape(f"{heading}: jaxae report"),
        heading=html.escape(heading),
        subtitle=html.escape(_subtitle(runs)),
        policy=f"default-src 'none'; img-src data:; style-src '{policy_digest(style)}'",
        style=style,
        links=links,
        body=body,
        kind="two" if len(runs) == 2 else "one",
    )


def _names(places: Sequence[Path]) -> list[str]:
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        names = [f"{place.parent.name}/{place.name}" for place in places]
    return [readable(name) for name in names]


def _subtitle(runs: Sequence[Described]) -> str:
    latent_dim = runs[0].facts.run.model.latent_dim
    numbers = {1: "one number", 2: "two numbers"}.get(latent_dim, f"{latent_dim} numbers")

    subtitle = "Two denoising autoencoders."
    if len(runs) == 1:
        subtitle = f"A denoising autoencoder that sends each image through {numbers}."
    if any(run.facts.run.config.dataset == "synthetic" for run in runs):
        subtitle += " SYNTHETIC DATA: the numbers mean nothing next to those of real images."
    return subtitle


def _anchor(name: str) -> str:
    return name.lower().replace(",", "").replace(" ", "-")


def _columns(names: Sequence[str], contents: Sequence[str]) -> str:
    if len(contents) == 1:
        return contents[0]

    columns = "".join(
        f"<div>{text(name, kind='h3')}{content}</div>"
        for name, content in zip(names, contents, strict=True)
    )
    return f'<div class="pair">{columns}</div>'


def _differences(names: Sequence[str], first: Facts, second: Facts) -> str:
    """Return in which options the recipes differ, and by how much the results."""
    recipes = vars(first.run.config), vars(second.run.config)
    options = [
        Row(name, [about.plain(recipe[name]) for recipe in recipes])
        for name in recipes[0]
        if recipes[0][name] != recipes[1][name]
    ]
    if options:
        options_table = table(["option", *names], options)
    else:
        options_table = text("The recipes are the same.")

    rows = [
        *_metrics("noisy input", first.evaluation.noisy, second.evaluation.noisy),
        *_metrics("clean input", first.evaluation.clean, second.evaluation.clean),
    ]
    measured = table(["", *names, "second less first"], rows)

    levels = [f"{facts.evaluation.noise_factor:g}" for facts in (first, second)]
    said = f"Recomputed on the test images at noise {' and '.join(dict.fromkeys(levels))}."
    headings = text("Recipes", kind="h3"), text("Results", kind="h3")
    return headings[0] + options_table + headings[1] + measured + source(said)


def _metrics(images: str, first: Quality, second: Quality) -> list[Row]:
    """Return a row for each metric that both have: the two values and their difference."""
    metrics = [
        ("MSE", first.mse, second.mse, "{:.5f}"),
        ("MAE", first.mae, second.mae, "{:.5f}"),
        ("PSNR of the mean MSE", first.psnr_of_mean_mse, second.psnr_of_mean_mse, "{:.3f} dB"),
        ("SSIM", first.ssim_mean, second.ssim_mean, "{:.5f}"),
    ]

    rows = []
    for name, a, b, form in metrics:
        if a is not None and b is not None:
            difference = round(b - a, 5) + 0.0  # without the sign of -0.0
            values = [form.format(value) for value in (a, b, difference)]
            rows.append(Row(f"{name}, {images}", values))
    return rows
