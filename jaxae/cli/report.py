"""jaxae report: writes a page that describes a run, or two next to each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxae.cli.messages import say
from jaxae.cli.options import Source
from jaxae.errors import InputError
from jaxae.report.agreement import check_agreement
from jaxae.report.facts import gather
from jaxae.report.page import Described, report_page
from jaxae.runs import files
from jaxae.runs.population import members


@dataclass(frozen=True, kw_only=True)
class OneOrTwo(Source):
    """A run to describe, and another one if two are compared."""

    other: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(
            metavar="[OTHER]",
            help="Another run, to compare with the first.",
            help_behavior_hint="",
        ),
    ] = ()


def main(source: OneOrTwo) -> None:
    """Writes RUN/report.html: what was trained on what, its curves, metrics and figures.

    For two runs it writes RUN/comparison.html, which shows them next to each other.

    One file without a script; it opens in any browser and prints. Metrics are recomputed; a run
    whose files disagree with each other is an error. A minute or two a run.

    Example: jaxae report checkpoints/released
    """
    if len(source.other) > 1:
        raise InputError(f"{1 + len(source.other)} runs are given: give one, or two to compare")
    for other in source.other:
        if len(members(other)) > 1:
            member = other / "members" / "0"
            raise InputError(f"{other} is a population: name one of its runs, such as {member}")

    places = [source.directory, *source.other]
    runs = [_describe(place, source) for place in places]

    path = places[0] / ("comparison.html" if source.other else "report.html")
    files.write_text(path, report_page(runs))
    say(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")


def _describe(place: Path, source: Source) -> Described:
    run = source.load(place)
    files.check_writable(source.directory)
    say(f"Evaluating and checking {place}")
    facts = gather(place, run, source.dataset(run.config))
    return Described(facts, check_agreement(facts))
