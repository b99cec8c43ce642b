"""The options that commands share: a run to look at, and where the data are."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxae.cli.messages import say
from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, Report
from jaxae.evaluation.records import Evaluation, NoiseCurve, Scorecard, Spread, write_record
from jaxae.inference import Run, load
from jaxae.runs.population import members


def optional(metavar: str, text: str) -> Any:
    """Return how --help shows an option that may be left out."""
    return tyro.conf.arg(metavar=metavar, help=text, help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class DataPlace:
    """Where the data are."""

    data_dir: Annotated[
        Path | None,
        optional(
            "DIR",
            "Keep the decoded data here; by default in $TFDS_DATA_DIR or ~/tensorflow_datasets.",
        ),
    ] = None

    manual_dir: Annotated[
        Path | None,
        optional("DIR", "Folder with the four official .gz files; by default $JAXAE_MANUAL_DIR."),
    ] = None

    def dataset(
        self, config: Config, *, moved_to: str | None = None, report: Report = say
    ) -> Dataset:
        """Return the data that a recipe names, or those that moved_to names. Raises InputError."""
        return load_dataset(
            moved_to or config.dataset,
            image_size=config.image_size,
            shares=config.split,
            skip_damaged=config.skip_damaged,
            labels=config.labels,
            data_dir=self.data_dir,
            manual_dir=self.manual_dir,
            report=report,
        )

    @property
    def words(self) -> str:
        """The options as they were given, for a command that is to find the same data."""
        words = ""
        for option, place in (("--data-dir", self.data_dir), ("--manual-dir", self.manual_dir)):
            if place:
                words += f" {option} {shlex.quote(str(place))}"
        return words


@dataclass(frozen=True, kw_only=True)
class Place:
    """A run to look at."""

    run: tyro.conf.Positional[Path]
    """Run directory, as jaxae train writes it."""

    member: Annotated[
        int | None, optional("INT", "Which member of a population to look at, from 0.")
    ] = None

    @property
    def directories(self) -> list[Path]:
        """The run, the chosen member of a population, or all of them. Raises InputError."""
        found = members(self.run)
        if self.member is None:
            return found
        if not 0 <= self.member < len(found) or found == [self.run]:
            has = f"has members 0 to {len(found) - 1}"
            if found == [self.run]:
                has = "is an ordinary run"
            raise InputError(f"member is {self.member}, but {self.run} {has}")
        return [found[self.member]]

    @property
    def directory(self) -> Path:
        """The run, or the chosen member of a population. Raises InputError."""
        found = self.directories
        if len(found) > 1:
            raise InputError(f"{self.run} has {len(found)} members: choose one, from --member 0 on")
        return found[0]


@dataclass(frozen=True, kw_only=True)
class Source(Place, DataPlace):
    """A run to look at, and the data to look with."""

    epoch: Annotated[
        int | None,
        optional("INT", "Take this epoch's checkpoint; by default the best one."),
    ] = None

    moved_to: Annotated[
        str | None,
        tyro.conf.arg(
            name="dataset",
            metavar="PATH",
            help="Where the run's images are now, if they have moved.",
            help_behavior_hint="",
        ),
    ] = None

    labels: Annotated[
        str | None, optional("FILE", "Where their table of labels is now, if it has moved.")
    ] = None

    def dataset(
        self, config: Config, *, moved_to: str | None = None, report: Report = say
    ) -> Dataset:
        """Return the run's data, from where they are now. Raises InputError."""
        if self.labels:
            config = replace(config, labels=self.labels)
        return super().dataset(config, moved_to=moved_to or self.moved_to, report=report)

    def load(self, directory: Path) -> Run:
        """Return the run in a directory at the chosen epoch, and name that. Raises InputError."""
        run = load(directory, epoch=self.epoch)
        if self.epoch is not None:
            say(f"Taking epoch {run.epoch} of {directory}: all that is written is of this epoch")
        return run


def save(path: Path, result: Evaluation | Scorecard | NoiseCurve | Spread) -> None:
    """Write a result and say where. Raises InputError."""
    write_record(path, result)
    say(f"Wrote {path}")


def try_to_save(path: Path, result: Evaluation | Scorecard | Spread) -> list[InputError]:
    """Write a result and say where, or return the error: the result is to be printed first."""
    try:
        save(path, result)
    except InputError as error:
        return [error]
    return []
