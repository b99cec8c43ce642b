"""The sections of a report about a run itself: what it is, what was checked, its recipe.

Facts in, HTML out.
"""

import json
import shlex
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxae.config import Config
from jaxae.evaluation.tables import decibels
from jaxae.report.agreement import Check
from jaxae.report.facts import Facts
from jaxae.report.markup import Row, link, source, table, terms, text


def glance(facts: Facts) -> str:
    """Return the numbers that one looks for first."""
    evaluation = facts.evaluation
    ours, untouched = evaluation.noisy, evaluation.identity

    tiles = [
        _tile("MSE, noisy images", f"{ours.mse:.5f}", f"{untouched.mse:.5f} untouched"),
        _tile(
            "PSNR of that",
            decibels(ours.psnr_of_mean_mse),
            f"{decibels(untouched.psnr_of_mean_mse)} untouched",
        ),
    ]
    if ours.ssim_mean is not None:
        untouched_ssim = f"{untouched.ssim_mean:.3f} untouched"
        tiles.append(_tile("SSIM", f"{ours.ssim_mean:.3f}", untouched_ssim))
    if facts.scorecard and facts.scorecard.ours.knn_5 is not None:
        accuracy = f"{100 * facts.scorecard.ours.knn_5:.1f} %"
        tiles.append(_tile("5-NN accuracy", accuracy, "on the map, clean images"))

    split = evaluation.about.split
    said = f"Recomputed for this report: {split}, noise {evaluation.noise_factor:g}."
    return f'<ul class="tiles">{"".join(tiles)}</ul>{source(said)}'


def _tile(name: str, value: str, comparison: str) -> str:
    parts = text(name, kind="span") + text(value, kind="b") + text(comparison, kind="span")
    return f"<li>{parts}</li>"


def origin(facts: Facts) -> str:
    """Return what was trained on what, by which command, and where."""
    run = facts.run
    data = facts.dataset
    environment = facts.environment

    sizes = ", ".join(
        [
            f"{len(data.train.images):,} training",
            f"{len(data.validation.images):,} validation",
            f"{len(data.test.images):,} test",
        ]
    )
    shape = "×".join(str(size) for size in data.image_shape)
    parameters = sum(np.size(leaf) for leaf in jax.tree.leaves(run.variables))
    machine = [environment.platform, environment.cpu, *environment.devices]
    imported = environment.imported_from
    if imported:
        command = f"jaxae import-torch {imported.file}  # SHA-256 {imported.sha256}"
    else:
        command = train_command(run.config)

    versions = facts.evaluation.about.versions
    same_versions = versions == environment.versions

    pairs = [
        ("Data", _words(f"{data.title}: {sizes} images of {shape}")),
        ("SHA-256 of the data", _code(data.digest)),
        ("Checkpoint", _words(f"epoch {run.epoch}, {parameters:,} numbers")),
        ("SHA-256 of its arrays", _code(facts.manifest.sha256["variables"])),
        ("Command", _code(command)),
    ]
    if environment.resumed_from:
        before = environment.resumed_from
        pairs.append(("Went on from", _words(f"epoch {before.epoch} of {before.run}")))
    pairs += [
        ("Trained with", _words(_listed(environment.versions) or "not known")),
        ("Trained on", _words(", ".join(filter(None, machine)) or "not known")),
        ("Reported with", _words("the same versions" if same_versions else _listed(versions))),
    ]

    links = []
    if facts.explorer_epoch is not None:
        links.append(link("explorer.html", "explorer"))
    if facts.export:
        links.append(link("export/README.md", "exports"))
    if links:
        pairs.append(("Next to this page", ", ".join(links)))

    said = "From config.json, environment.json and the checkpoint's manifest.json."
    return terms(pairs) + source(said)


def _words(value: str) -> str:
    return text(value, kind="span")


def _code(value: str) -> str:
    return text(value, kind="code")


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def train_command(config: Config) -> str:
    """Return the command that trains this recipe with today's defaults."""
    words = ["jaxae", "train"]
    default = Config()

    for name, value in vars(config).items():
        if name == "image_shape" or value == getattr(default, name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, tuple):
            words += [str(each) for each in value]
        elif not isinstance(value, bool):
            words.append(str(value))

    return shlex.join(words)


def comparisons(checks: Sequence[Check]) -> str:
    """Return each check with what it found."""
    items = "".join(
        f"<li>{text('Holds', kind='b')}<div>{text(check.claim)}{text(check.found)}</div></li>"
        for check in checks
    )
    said = "Compared for this report; docs/promises.md has the commands of the other checks."
    return f'<ul class="checks">{items}</ul>{source(said)}'


def recipe(facts: Facts) -> str:
    """Return all of config.json, with what differs from today's defaults highlighted."""
    mine = json.loads(facts.run.config.to_json())
    default = json.loads(Config().to_json())

    rows = [
        Row(name, [plain(value), plain(default[name])], highlighted=value != default[name])
        for name, value in mine.items()
    ]
    said = "From config.json."
    if facts.environment.imported_from:
        said += " Training was not jaxae's: its options say nothing here."
    return table(["", "this run", "today's default"], rows) + source(said)


def plain(value: Any) -> str:
    """Return a value of a recipe for a table."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return str(value)
