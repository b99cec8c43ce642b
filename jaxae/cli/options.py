"""The options that commands share, in groups, and what they mean."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxae.cli.messages import say
from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.devices import multihost
from jaxae.devices.cores import take_cores
from jaxae.errors import InputError, Report
from jaxae.paths import expand
from jaxae.resume import Origin
from jaxae.runs.population_directory import members
from jaxae.train.population import recipes


def optional(metavar: str, text: str) -> Any:
    """How --help shows an option that may be left out."""
    return tyro.conf.arg(metavar=metavar, help=text, help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class DataPlace:
    """Where the data are."""

    data_dir: Annotated[
        Path | None, optional("DIR", "Keep the decoded data here; by default in $TFDS_DATA_DIR or ~/tensorflow_datasets.")
    ] = None
    manual_dir: Annotated[
        Path | None, optional("DIR", "Folder with the four official .gz files; by default $JAXAE_MANUAL_DIR.")
    ] = None

    def dataset(self, config: Config, *, moved_to: str | None = None, report: Report = say) -> Dataset:
        """The data that a recipe names, perhaps in another place. Raises InputError."""
        return load_dataset(
            moved_to or config.dataset,
            image_size=config.image_size,
            shares=config.split,
            skip_damaged=config.skip_damaged,
            data_dir=self.data_dir,
            manual_dir=self.manual_dir,
            report=report,
        )

    @property
    def words(self) -> str:
        """The options as they were given, for a command that is to find the same data."""
        given = {"--data-dir": self.data_dir, "--manual-dir": self.manual_dir}
        return "".join(f" {option} {shlex.quote(str(place))}" for option, place in given.items() if place)


@dataclass(frozen=True, kw_only=True)
class SeveralModels:
    """Several models in one program: seeds times swept values, each kept as a run of its own."""

    seeds: int = 1
    """How many seeds, from --seed on."""
    sweep: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        optional("NAME=VALUE,...", "Values to try, such as learning_rate=1e-3,2e-3; given several times, a grid."),
    ] = ()
    devices: str = "auto"
    """How many devices (of each process) share the work, or all: models first, then each model's batches. auto: one, or of a
    CPU that trains several models as many of its cores as divide their number."""
    images_on_host: bool = False
    """Send the training images to the device block by block, as is done where they don't fit on it. It changes no bit."""

    def take_cores(self, recipe: Config) -> None:
        """Makes devices of a CPU's cores, as --devices asks. Before any other use of JAX. Raises InputError."""
        take_cores(self.devices, members=len(recipes(recipe, seeds=self.seeds, sweep=self.sweep)))


@dataclass(frozen=True, kw_only=True)
class SeveralProcesses:
    """Several processes that train together, on one machine or many: start the same command in each, but for --process-id."""

    coordinator: Annotated[
        str | None, optional("HOST:PORT", "Where all can reach process 0; auto: as the cluster's environment says.")
    ] = None
    processes: Annotated[int | None, optional("INT", "How many they are.")] = None
    process_id: Annotated[
        int | None, optional("INT", "The number of this process, from 0. Process 0 alone writes the run directory.")
    ] = None

    def join(self, *, report: Report = say) -> None:
        """Joins them; before any other use of JAX. Raises InputError."""
        if self.coordinator is not None:
            multihost.join(self.coordinator, processes=self.processes, process_id=self.process_id, report=report)
        elif (self.processes, self.process_id) != (None, None):
            raise InputError("--processes and --process-id are given without --coordinator: say where process 0 can be reached")


@dataclass(frozen=True, kw_only=True)
class AnotherRun:
    """Go on from a checkpoint of another run, in the --run-dir, such as with a lower learning rate after its loss broke."""

    resume_from: Annotated[
        Path | None, optional("RUN", "Take weights and optimiser from this run; learning rate and plateau begin anew.")
    ] = None
    resume_epoch: Annotated[str | None, optional("EPOCH", "best (by default), latest, or a number that RUN/states has.")] = None

    @property
    def origin(self) -> Origin | None:
        """The checkpoint, if one is named. Raises InputError."""
        if self.resume_from is None and self.resume_epoch is not None:
            raise InputError(f"--resume-epoch is {self.resume_epoch}, without --resume-from: name the run that has it")
        return None if self.resume_from is None else Origin(expand(self.resume_from).absolute(), self.resume_epoch or "best")


@dataclass(frozen=True, kw_only=True)
class Source(DataPlace):
    """A run to look at, and the data to look with."""

    run: tyro.conf.Positional[Path]
    """Run directory, as jaxae train writes it."""
    member: Annotated[int | None, optional("INT", "Which member of a population to look at, from 0.")] = None
    moved_to: Annotated[
        str | None,
        tyro.conf.arg(
            name="dataset", metavar="PATH", help="Where the run's images are now, if they have moved.", help_behavior_hint=""
        ),
    ] = None

    def dataset(self, config: Config, *, moved_to: str | None = None, report: Report = say) -> Dataset:
        """The run's data, wherever they are now. Raises InputError."""
        return super().dataset(config, moved_to=moved_to or self.moved_to, report=report)

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
