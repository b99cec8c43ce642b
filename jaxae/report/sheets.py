"""The section of a report that names images: contact sheets of the strangest and most alike."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from jaxae.core.images import to_unit
from jaxae.figures.contact_sheet import COLUMNS, draw_contact_sheet
from jaxae.figures.style import Figure
from jaxae.inference import reconstruct
from jaxae.report.facts import Facts
from jaxae.report.image_table import ImageTable, image_table
from jaxae.report.markup import picture, source

SHOWN = 2 * COLUMNS


def by_name(facts: Facts) -> str:
    """Return three sheets: the strangest images, the most alike, the best and worst drawn."""
    table = image_table(facts.run, facts.dataset)
    images = facts.dataset.together().images
    sheets = [
        _strangest(table, images),
        _alike(table, images),
        _best_and_worst(table, images, facts),
    ]

    said = "Images of all splits. jaxae map RUN writes the whole table: RUN/map.csv."
    return f'<div class="figures">{"".join(sheets)}</div>{source(said)}'


def _strangest(table: ImageTable, images: np.ndarray) -> str:
    """Return the images that are farthest from any other on the map."""
    nearest = _numbers(table.nearest_file, table)
    distance = np.hypot(table.x - table.x[nearest], table.y - table.y[nearest])
    distance[nearest < 0] = 0
    chosen = np.argsort(-distance, kind="stable")[:SHOWN]

    figure = draw_contact_sheet(
        to_unit(images[chosen]),
        to_unit(images[nearest[chosen]]),
        names=_names(table, chosen),
        notes=[f"{distance[each]:.2g} away" for each in chosen],
        rows=("image", "nearest"),
        title="The strangest: farthest from any other image on the map",
    )
    return _sheet(figure, table, chosen, "The images with the largest distance to the nearest one")


def _alike(table: ImageTable, images: np.ndarray) -> str:
    """Return pairs of equal images and, after them, neighbours with the least difference."""
    equal = _numbers(table.equal_to, table)
    other = np.where(equal >= 0, equal, _numbers(table.nearest_file, table))

    numbers = np.flatnonzero(other >= 0)
    pairs = np.unique(np.sort(np.stack([numbers, other[numbers]], axis=1), axis=1), axis=0)
    difference = np.array([_mean_square(images[one], images[two]) for one, two in pairs])
    order = np.argsort(difference, kind="stable")[:SHOWN]
    chosen, like = pairs[order].T

    notes = [f"MSE {each:.2g}" if each else "equal" for each in difference[order]]
    figure = draw_contact_sheet(
        to_unit(images[chosen]),
        to_unit(images[like]),
        names=_names(table, chosen),
        notes=notes,
        rows=("image", "like it"),
        title="The most alike: equal images, then neighbours on the map with the least difference",
    )
    return _sheet(figure, table, chosen, "Equal images and the most similar neighbours")


def _mean_square(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.square(to_unit(one) - to_unit(two)).mean())


def _best_and_worst(table: ImageTable, images: np.ndarray, facts: Facts) -> str:
    """Return the reconstructions with the smallest and the largest errors."""
    order = np.argsort(table.error, kind="stable")
    half = min(COLUMNS, len(order) // 2)
    chosen = np.concatenate([order[:half], order[::-1][:half]])

    figure = draw_contact_sheet(
        to_unit(images[chosen]),
        reconstruct(facts.run, images[chosen]),
        names=_names(table, chosen),
        notes=[f"MSE {table.error[each]:.2g}" for each in chosen],
        rows=("image", "drawn"),
        title="Best and worst reconstructed, from clean images",
    )
    return _sheet(figure, table, chosen, "The smallest errors, then the largest")


def _numbers(names: Sequence[str], table: ImageTable) -> np.ndarray:
    """Return the rows of these files, -1 for an empty name."""
    row = {name: number for number, name in enumerate(table.file)}
    return np.array([row.get(name, -1) for name in names])


def _names(table: ImageTable, chosen: np.ndarray) -> list[str]:
    return [PurePath(table.file[each]).name for each in chosen]


def _sheet(figure: Figure, table: ImageTable, chosen: np.ndarray, what: str) -> str:
    """Return the sheet with the full names below it."""
    listed = ", ".join(table.file[each] for each in chosen)
    return picture(figure, caption=f"{what}, in this order: {listed}.", alt=what)
