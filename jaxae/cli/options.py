"""Groups of options that scripts share, and what they mean."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from jaxae.cli.messages import say
from jaxae.config import PRESETS, Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.runs.population_directory import members
from jaxae.train import multihost

Preset = Literal["default", "best"]


@dataclass(frozen=True, kw_only=True)
class DataPlace:
    """Where the data are."""

    data_dir: Path | None = None
    """Folder of the decoded data; by default $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    manual_dir: Path | None = None
    """Folder with the four official .gz files; by default $JAXAE_MANUAL_DIR."""

    def dataset(self, config: Config) -> Dataset:
        """The data that a recipe names. Raises InputError."""
        return load_dataset(config.dataset, data_dir=self.data_dir, manual_dir=self.manual_dir, report=say)

    def settle(self, config: Config) -> tuple[Dataset, Config]:
        """The data that a recipe names, and the recipe with the data's own name: what auto has found is part of it."""
        dataset = self.dataset(config)
        return dataset, replace(config, dataset=dataset.name)


@dataclass(frozen=True, kw_only=True)
class Many:
    """Several models in one program, each a member of a population: seeds times swept values."""

    seeds: int = 1
    """How many seeds, from --seed on."""
    sweep: tuple[str, ...] = ()
    """Values that change no shape, such as learning_rate=1e-3,2e-3; several make a grid."""
    devices: str = "1"
    """How many devices (of each process) share the work, or all: members first, then each member's batches."""


@dataclass(frozen=True, kw_only=True)
class Together:
    """Several processes, on one machine or many, that train together: start the same command in each, but for --process-id."""

    coordinator: str | None = None
    """HOST:PORT where process 0 can be reached by all; auto: as the cluster's environment says (Slurm, Open MPI, TPUs)."""
    processes: int | None = None
    """How many they are."""
    process_id: int | None = None
    """Which of them this is: 0, which alone writes the run directory, to one less than --processes."""

    def join(self) -> None:
        """Joins them; before any other use of JAX. Raises InputError."""
        if self.coordinator is not None:
            multihost.join(self.coordinator, processes=self.processes, process_id=self.process_id, report=say)
        elif (self.processes, self.process_id) != (None, None):
            raise InputError("--processes and --process-id are given without --coordinator: say where process 0 can be reached")


@dataclass(frozen=True, kw_only=True)
class Source(DataPlace):
    """A run to look at, and the data to look with."""

    run: tyro.conf.Positional[Path]
    """Run directory, as written by train.py."""
    member: int | None = None
    """Which member of a population to look at, from 0."""

    @property
    def directories(self) -> list[Path]:
        """The run, the chosen member of a population, or all of them. Raises InputError."""
        found = members(self.run)
        if self.member is None:
            return found
        if not 0 <= self.member < len(found) or found == [self.run]:
            has = "is an ordinary run" if found == [self.run] else f"has members 0 to {len(found) - 1}"
            raise InputError(f"--member is {self.member}, but {self.run} {has}")
        return [found[self.member]]

    @property
    def directory(self) -> Path:
        """The run, or the chosen member of a population. Raises InputError."""
        if len(self.directories) > 1:
            raise InputError(f"{self.run} has {len(self.directories)} members: choose one, from --member 0 on")
        return self.directories[0]


def preset() -> Config:
    """The recipe of the command line's --preset, whose values the other options change; says in what it is not the default."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?")
    name = parser.parse_known_args()[0].preset
    recipe = PRESETS.get(name, Config())  # a name that it does not know, tyro will complain of
    if changes := recipe.differences(Config()):
        say(f"--preset {name} has {'; '.join(changes)}")
    return recipe
