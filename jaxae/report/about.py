"""The sections of a report about a run itself: what it is, what was checked, its recipe. Facts in, HTML out."""

import json
import shlex
from typing import Any

import numpy as np

from jaxae.config import Config
from jaxae.evaluation.tables import decibels
from jaxae.report.facts import Facts
from jaxae.report.markup import link, source, table, terms, text
from jaxae.report.promises import Check


def glance(facts: Facts, checks: list[Check]) -> str:
    """The numbers that one looks for first."""
    held = sum(check.holds for check in checks)
    ours = facts.evaluation.noisy
    untouched = facts.evaluation.identity
    neighbours = facts.scorecard.ours.knn_5 if facts.scorecard else None
    tiles = [("MSE, noisy images", f"{ours.mse:.5f}", f"{untouched.mse:.5f} untouched")]
    psnr, before = (decibels(row.psnr_of_mean_mse) for row in (ours, untouched))
    tiles.append(("PSNR of that", psnr, f"{before} untouched"))
    if ours.ssim_mean is not None:
        tiles.append(("SSIM", f"{ours.ssim_mean:.3f}", f"{untouched.ssim_mean:.3f} untouched"))
    if neighbours is not None:
        tiles.append(("5-NN accuracy", f"{100 * neighbours:.1f} %", "on the map, clean images"))
    tiles.append(("Checks that hold", f"{held} of {len(checks)}", "made for this report"))
    cells = "".join(
        f"<li>{text(a, kind='span')}{text(b, kind='b')}{text(c, kind='span')}</li>"
        for a, b, c in tiles
    )
    return f'<ul class="tiles">{cells}</ul>' + source(
        f"Recomputed for this report: {facts.evaluation.about.split}, "
        f"noise {facts.evaluation.noise_factor:g}."
    )


def origin(facts: Facts) -> str:
    """What was trained on what, by which command, where."""
    run, data, environment = facts.run, facts.dataset, facts.environment
    sizes = [
        f"{len(part.images):,} {name}"
        for name, part in (
            ("training", data.train),
            ("validation", data.validation),
            ("test", data.test),
        )
    ]
    machine = [environment.get("platform"), environment.get("cpu"), *environment.get("devices", [])]
    imported = environment.get("imported_from", {})
    command = (
        f"jaxae import-torch {imported['file']}  # SHA-256 {imported['sha256']}"
        if imported
        else train_command(run.config)
    )
    resumed = environment.get("resumed_from")
    versions, now = environment.get("versions", {}), facts.evaluation.about.versions
    products = [link("explorer.html", "explorer")] * facts.explorer + [
        link("export/README.md", "exports")
    ] * bool(facts.export)
    digest = facts.manifest.sha256["variables"]
    pairs = [
        (
            "Data",
            text(
                f"{data.title}: {', '.join(sizes)} images of {'×'.join(map(str, data.image_shape))}",
                kind="span",
            ),
        ),
        ("SHA-256 of the data", text(data.digest, kind="code")),
        (
            "Checkpoint",
            text(
                f"epoch {run.epoch}, {sum(map(np.size, _leaves(run.variables))):,} numbers",
                kind="span",
            ),
        ),
        ("SHA-256 of its arrays", text(digest, kind="code")),
        ("Command", text(command, kind="code")),
        *(
            [("Went on from", text(f"epoch {resumed['epoch']} of {resumed['run']}", kind="span"))]
            if resumed
            else []
        ),
        ("Trained with", text(_listed(versions) or "not known", kind="span")),
        ("Trained on", text(", ".join(filter(None, machine)) or "not known", kind="span")),
        (
            "Reported with",
            text("the same versions" if now == versions else _listed(now), kind="span"),
        ),
        *([("Beside this page", ", ".join(products))] if products else []),
    ]
    return terms(pairs) + source(
        "From config.json, environment.json and the checkpoint's manifest.json."
    )


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _leaves(tree: Any) -> list[Any]:
    return (
        [leaf for value in tree.values() for leaf in _leaves(value)]
        if isinstance(tree, dict)
        else [tree]
    )


def train_command(config: Config) -> str:
    """The command that trains this recipe with today's defaults."""
    words, default = ["jaxae", "train"], Config()
    for name, value in vars(config).items():
        if value != getattr(default, name) and name != "image_shape":
            option = f"--{name.replace('_', '-')}"
            values = (
                value if isinstance(value, tuple) else () if isinstance(value, bool) else (value,)
            )
            words += [option, *map(str, values)]
    return shlex.join(words)


def promises(checks: list[Check]) -> str:
    """Each check with what it found."""
    items = "".join(
        f'<li class="{"holds" if check.holds else "broken"}">{text("Holds" if check.holds else "Does not hold", kind="b")}'
        f"<div>{text(check.promise)}{text(check.found)}</div></li>"
        for check in checks
    )
    return f'<ul class="checks">{items}</ul>' + source(
        "Checked now, by running jaxae's code; docs/promises.md has the commands of all others."
    )


def recipe(facts: Facts) -> str:
    """All of config.json."""
    default, mine = (json.loads(each.to_json()) for each in (Config(), facts.run.config))
    rows = [
        [("*" if value != default[name] else "") + name, plain(value), plain(default[name])]
        for name, value in mine.items()
    ]
    unknown = (
        " Training was not jaxae's: the options of it say nothing here."
        if "imported_from" in facts.environment
        else ""
    )
    return table(["", "this run", "today's default"], rows) + source(f"From config.json.{unknown}")


def plain(value: Any) -> str:
    """A value of a recipe for a table."""
    return (
        ", ".join(map(str, value))
        if isinstance(value, list | tuple)
        else "none"
        if value is None
        else str(value)
    )
