"""Many recipes that differ in their seeds, and in values that change no shape: what can be trained as one program."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jaxae.config import Config
from jaxae.data.dataset import Dataset, check_data
from jaxae.errors import InputError

SWEEPABLE = ("learning_rate", "weight_decay", "adam_b2", "clip_norm")


def recipes(config: Config, *, seeds: int = 1, sweep: Sequence[str] = ()) -> list[Config]:
    """The recipe with each combination of swept values and, for each, as many seeds from its own on. Raises InputError.

    sweep: texts such as "learning_rate=1e-3,2e-3"; each name is one of SWEEPABLE.
    """
    if seeds < 1:
        raise InputError(f"seeds is {seeds}: give 1 or more")
    grid: dict[str, list[float]] = {}
    for text in sweep:
        name, _, listed = text.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if name not in SWEEPABLE or name in grid:
            raise InputError(
                f"--sweep {text}: give NAME=VALUE,VALUE for one of {', '.join(SWEEPABLE)}, each once"
            )
        try:
            grid[name] = [float(value) for value in listed.split(",")]
        except ValueError:
            raise InputError(
                f"--sweep {text}: expected comma-separated numbers, got {listed!r}"
            ) from None
        if len(set(grid[name])) < len(grid[name]):
            raise InputError(f"--sweep {text}: a value is given twice")
    points: list[dict[str, Any]] = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    return [
        replace(config, **point, seed=config.seed + k) for point in points for k in range(seeds)
    ]


def varying(configs: Sequence[Config]) -> list[str]:
    """The names in which recipes differ, but for the seed. Raises InputError where one of them cannot be mapped over."""
    names = [
        name
        for name in vars(configs[0])
        if any(getattr(c, name) != getattr(configs[0], name) for c in configs)
    ]
    if fixed := [name for name in names if name not in (*SWEEPABLE, "seed")]:
        raise InputError(
            f"The members differ in {fixed[0]}: they may differ in seed, {', '.join(SWEEPABLE)}"
        )
    return [name for name in names if name != "seed"]


def check(configs: Sequence[Config], dataset: Dataset) -> None:
    """Raises InputError where the recipes can't be trained together, or not on these data."""
    varying(configs)
    size, batch = len(dataset.train.images), configs[0].batch_size
    for config in configs:
        check_data(config, dataset)
        if config.latent_dim < 2:
            raise InputError(
                f"latent_dim is {config.latent_dim}: give 2 or more, the axes of a map"
            )
    if batch > size:
        raise InputError(
            f"batch_size is {batch}, but there are {size} training images: give a smaller --batch-size"
        )


def labels(configs: Sequence[Config]) -> list[str]:
    """A name for each member: its swept values and its seed."""
    names = [*varying(configs), "seed"]
    return [", ".join(f"{name} {getattr(config, name)}" for name in names) for config in configs]
