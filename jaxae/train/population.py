"""Recipes that can be trained as one program: they differ in seeds and scalar values."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from jaxae.config import Config
from jaxae.core.images import DARKEST
from jaxae.data.dataset import Dataset, check_data
from jaxae.data.large import in_blocks
from jaxae.errors import InputError

SWEEPABLE = ("learning_rate", "weight_decay", "adam_b2", "clip_norm")


def recipes(config: Config, *, seeds: int = 1, sweep: Sequence[str] = ()) -> list[Config]:
    """Return the recipe with each combination of swept values, and each of these with every seed.

    seeds: how many, from the recipe's own on. sweep: texts such as "learning_rate=1e-3,2e-3", each
    name one of SWEEPABLE. Raises InputError.
    """
    if seeds < 1:
        raise InputError(f"seeds is {seeds}: give 1 or more")

    grid: dict[str, list[float]] = {}
    for text in sweep:
        name, values = _read_sweep(text)
        if name in grid:
            raise InputError(f"sweep {text}: {name} is given twice")
        grid[name] = values

    members = []
    for point in itertools.product(*grid.values()):
        swept = dict(zip(grid, point, strict=True))
        members += [replace(config, **swept, seed=config.seed + k) for k in range(seeds)]  # type: ignore[arg-type]
    return members


def _read_sweep(text: str) -> tuple[str, list[float]]:
    name, _, listed = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    if name not in SWEEPABLE:
        raise InputError(f"sweep {text}: give NAME=VALUE,VALUE for one of {', '.join(SWEEPABLE)}")
    try:
        values = [float(value) for value in listed.split(",")]
    except ValueError:
        raise InputError(
            f"sweep {text}: expected comma-separated numbers, got {listed!r}"
        ) from None
    if len(set(values)) < len(values):
        raise InputError(f"sweep {text}: a value is given twice")
    return name, values


def varying(configs: Sequence[Config]) -> list[str]:
    """Return the names of options in which recipes differ, but for the seed.

    Raises InputError where they differ in one that is not SWEEPABLE.
    """
    first = vars(configs[0])
    names = [name for name in first if any(vars(c)[name] != first[name] for c in configs)]
    for name in names:
        if name not in (*SWEEPABLE, "seed"):
            raise InputError(
                f"The members differ in {name}: they may differ in seed, {', '.join(SWEEPABLE)}"
            )
    return [name for name in names if name != "seed"]


def check(configs: Sequence[Config], dataset: Dataset) -> None:
    """Raise InputError if recipes can't be trained together, or not on these data."""
    varying(configs)
    for config in configs:
        check_data(config, dataset)
        if config.latent_dim < 2:
            raise InputError(
                f"latent_dim is {config.latent_dim}: give 2 or more, the axes of a map"
            )
        if config.neighbor_weight and config.batch_size % 2:
            raise InputError(
                f"batch_size is {config.batch_size}, and with a neighbor_weight half of a batch "
                "are neighbours: give an even one"
            )

    for name, part in (("training", dataset.train), ("validation", dataset.validation)):
        if not len(part.images):
            raise InputError(f"{dataset.title} has no {name} images: give data that have some")

    brightest = max(int(block.max()) for block in in_blocks(dataset.train.images))
    if brightest <= DARKEST:
        raise InputError(
            f"The brightest training pixel of {dataset.title} is {brightest} of 255, as on another "
            "scale: multiply the values so that white is 255 in bytes, or 1 in floats"
        )


def labels(configs: Sequence[Config]) -> list[str]:
    """Return a name for each member: its swept values and its seed."""
    names = [*varying(configs), "seed"]
    return [", ".join(f"{name} {getattr(config, name)}" for name in names) for config in configs]
