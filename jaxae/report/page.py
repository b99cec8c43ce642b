"""The report: one HTML file of a run, or of two side by side. It needs no server, no network and no script."""

import html
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import NamedTuple

from jaxae.digests import policy_digest
from jaxae.errors import InputError, brief
from jaxae.report import about, results
from jaxae.report.facts import Facts
from jaxae.report.markup import source, table, text
from jaxae.report.promises import Check


class Described(NamedTuple):
    """A run, and what was checked of it."""

    facts: Facts
    checks: list[Check]


SECTIONS: dict[str, Callable[[Described], str]] = {
    "At a glance": lambda each: about.glance(each.facts, each.checks),
    "What was trained, and on what": lambda each: about.origin(each.facts),
    "Training": lambda each: results.training(each.facts),
    "Quality": lambda each: results.quality(each.facts),
    "The latent space": lambda each: results.latent_space(each.facts),
    "Each class": lambda each: results.classes(each.facts),
    "Figures": lambda each: results.figures(each.facts),
    "Checks": lambda each: about.promises(each.checks),
    "Recipe": lambda each: about.recipe(each.facts),
}
METRICS = {
    "mse": ("MSE", "{:.5f}"),
    "mae": ("MAE", "{:.5f}"),
    "psnr_of_mean_mse": ("PSNR of the mean MSE", "{:.3f} dB"),
    "ssim_mean": ("SSIM", "{:.5f}"),
}


def report_page(runs: Sequence[Described]) -> str:
    """The page as HTML. runs: one, or two to show side by side. Raises InputError where a file of theirs is damaged."""
    places = [each.facts.place.absolute() for each in runs]
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        names = [f"{place.parent.name}/{place.name}" for place in places]
    sections = {name: _columns(names, [_section(name, each) for each in runs]) for name in SECTIONS}
    if len(runs) == 2:
        sections = {"Differences": _differences(names, runs), **sections}
    body = "".join(
        f'<section id="{_anchor(name)}">{text(name, kind="h2")}{content}</section>'
        for name, content in sections.items()
    )
    links = "".join(f'<a href="#{_anchor(name)}">{html.escape(name)}</a>' for name in sections)
    titles = list(dict.fromkeys(each.facts.dataset.title for each in runs))
    heading = f"{' and '.join(titles)}: {' and '.join(names)}"
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    return Template(Path(__file__).with_name("template.html").read_text("utf-8")).substitute(
        title=html.escape(f"{heading}: jaxae report"),
        heading=html.escape(heading),
        subtitle=html.escape(_subtitle(runs)),
        policy=f"default-src 'none'; img-src data:; style-src '{policy_digest(style)}'",
        style=style,
        links=links,
        body=body,
        kind="two" if len(runs) == 2 else "one",
    )


def _section(name: str, run: Described) -> str:
    try:
        return SECTIONS[name](run)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        reason = f"{name} can't be written from the files of {run.facts.place} ({brief(error)})"
        raise InputError(
            f"{reason}: one of its JSON files is damaged; make it anew, or delete it"
        ) from error


def _subtitle(runs: Sequence[Described]) -> str:
    model = runs[0].facts.run.model
    numbers = {1: "one number", 2: "two numbers"}.get(
        model.latent_dim, f"{model.latent_dim} numbers"
    )
    what = (
        f"A denoising autoencoder that sends each image through {numbers}"
        if len(runs) == 1
        else "Two denoising autoencoders"
    )
    made_up = " SYNTHETIC DATA: the numbers mean nothing beside those of real images."
    return f"{what}.{made_up if any(each.facts.run.config.dataset == 'synthetic' for each in runs) else ''}"


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


def _differences(names: Sequence[str], runs: Sequence[Described]) -> str:
    """In which options the recipes differ, and by how much the results."""
    first, second = (vars(each.facts.run.config) for each in runs)
    options = [
        [name, about.plain(first[name]), about.plain(second[name])]
        for name in first
        if first[name] != second[name]
    ]
    recipes = table(["option", *names], options) if options else text("The recipes are the same.")
    rows = []
    for name in ("noisy", "clean"):
        a, b = (asdict(each.facts.evaluation.rows()[name]) for each in runs)
        for metric, (shown, form) in METRICS.items():
            if a[metric] is not None and b[metric] is not None:
                values = [
                    form.format(value + 0.0)
                    for value in (a[metric], b[metric], round(b[metric] - a[metric], 5))
                ]
                rows.append([f"{shown}, {name} input", *values])
    measured = table(["", *names, "second less first"], rows)
    noise = [f"{each.facts.evaluation.noise_factor:g}" for each in runs]
    where = f"Recomputed on the test images at noise {' and '.join(dict.fromkeys(noise))}."
    return (
        text("Recipes", kind="h3") + recipes + text("Results", kind="h3") + measured + source(where)
    )
