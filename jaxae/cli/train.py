"""jaxae train: trains a model, or several at once, or resumes what the run directory already holds."""

import argparse
import inspect
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, is_dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from jaxae.cli.command import DataPlace, optional
from jaxae.cli.messages import live_line, ranking, say, synthetic_banner
from jaxae.config import PRESETS, Config
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError, Report, expand, silent
from jaxae.evaluation.latent_scorecard import RELEASED_LOSS
from jaxae.inference import load
from jaxae.runs.directory import member_directories, run_directory
from jaxae.runs.tensorboard import Events
from jaxae.train import multihost
from jaxae.train.loop import fit_members, settle
from jaxae.train.population import labels, recipes
from jaxae.train.resume import Origin
from jaxae.train.sharding import take_cores

GROUPS = {
    "": ["epochs", "batch_size", "learning_rate", "noise_factor", "seed", "dataset"],
    "own_images": ["image_size", "split", "skip_damaged"],
    "network_and_noise": [
        "widths",
        "latent_dim",
        "latent_activation",
        "dropout",
        "narrow_shift",
        "noise_range",
    ],
    "map": ["similarity_weight"],
    "optimiser": ["weight_decay", "clip_norm", "adam_b2"],
    "plateau_and_end": [
        "plateau_patience",
        "plateau_factor",
        "min_scale",
        "restore_best",
        "early_stop_patience",
    ],
    "rarely_changed": ["statistics_images", "average_decay", "matmul_dtype"],
}
"""The recipe's options by the groups of --help, those that people use first on top. image_shape comes from the data."""

METAVARS = {"noise_range": "LOW HIGH", "image_size": "HEIGHT WIDTH"}


def recipe() -> Callable[..., Config]:
    """A function whose keyword arguments are the recipe's options in GROUPS; defaults are the preset's."""
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    asked.add_argument("--preset", nargs="?")
    name = asked.parse_known_args(sys.argv[1:])[0].preset
    default, hints = PRESETS.get(name, Config()), get_type_hints(Config, include_extras=True)
    descriptions = {name: each.description for name, each in Config.__pydantic_fields__.items()}  # type: ignore[attr-defined]

    def option(name: str) -> Any:
        shown: Any = (
            {"metavar": METAVARS[name], "help_behavior_hint": ""}
            if getattr(default, name) is None
            else {}
        )
        return Annotated[hints[name], tyro.conf.arg(help=descriptions[name], **shown)]

    def parameter(name: str, kind: Any, value: Any) -> inspect.Parameter:
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=value
        )

    parameters = [parameter(name, option(name), getattr(default, name)) for name in GROUPS[""]]
    for group, names in GROUPS.items():
        if group:
            fields = [(name, option(name), field(default=getattr(default, name))) for name in names]
            kind = make_dataclass(group, fields, namespace={"__doc__": ""})
            parameters.append(parameter(group, kind, kind()))

    def make(**values: Any) -> Config:
        flat: dict[str, Any] = {}
        for name, value in values.items():
            flat |= vars(value) if is_dataclass(value) else {name: value}
        return Config(**flat)

    make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    make.__annotations__ = {each.name: each.annotation for each in parameters}
    return make


Recipe = Annotated[Config, tyro.conf.arg(name="", constructor_factory=recipe)]
"""A recipe whose fields are options of the command."""


@dataclass(frozen=True, kw_only=True)
class SeveralModels:
    """Several models in one program: seeds times swept values, each kept as a run of its own."""

    seeds: int = 1
    """How many seeds, from --seed on."""
    sweep: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        optional(
            "NAME=VALUE,...",
            "Values to try, such as learning_rate=1e-3,2e-3; given several times, a grid.",
        ),
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
        str | None,
        optional(
            "HOST:PORT", "Where all can reach process 0; auto: as the cluster's environment says."
        ),
    ] = None
    processes: Annotated[int | None, optional("INT", "How many they are.")] = None
    process_id: Annotated[
        int | None,
        optional(
            "INT", "The number of this process, from 0. Process 0 alone writes the run directory."
        ),
    ] = None

    def join(self, *, report: Report = say) -> None:
        """Joins them; before any other use of JAX. Raises InputError."""
        if self.coordinator is not None:
            multihost.join(
                self.coordinator,
                processes=self.processes,
                process_id=self.process_id,
                report=report,
            )
        elif (self.processes, self.process_id) != (None, None):
            raise InputError(
                "--processes and --process-id are given without --coordinator: say where process 0 can be reached"
            )


@dataclass(frozen=True, kw_only=True)
class AnotherRun:
    """Go on from a checkpoint of another run, in the --run-dir, such as with a lower learning rate after its loss broke."""

    resume_from: Annotated[
        Path | None,
        optional(
            "RUN", "Take weights and optimiser from this run; learning rate and plateau begin anew."
        ),
    ] = None
    resume_epoch: Annotated[
        str | None, optional("EPOCH", "best (by default), latest, or a number that RUN/states has.")
    ] = None

    @property
    def origin(self) -> Origin | None:
        """The checkpoint, if one is named. Raises InputError."""
        if self.resume_from is None and self.resume_epoch is not None:
            raise InputError(
                f"--resume-epoch is {self.resume_epoch}, without --resume-from: name the run that has it"
            )
        return (
            None
            if self.resume_from is None
            else Origin(expand(self.resume_from).absolute(), self.resume_epoch or "best")
        )


def main(
    recipe: Recipe,
    data: DataPlace,
    several_models: SeveralModels,
    several_processes: SeveralProcesses,
    another_run: AnotherRun,
    *,
    run_dir: Path = Path("checkpoints/default"),
    preset: Literal["default", "clean", "map"] = "default",
    overwrite: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
) -> None:
    """Trains a denoising autoencoder, or goes on with what the run directory holds.

    Progress goes to stderr; stdout gets the run directory's path. Ctrl-C loses the running epoch at most.

    Example: jaxae train --epochs 30 --noise-factor 0.4 --run-dir checkpoints/noisy

    Args:
        run_dir: Where the run is kept.
        preset: Which recipe the other options change: the given procedure; clean, for lower errors; map, for an ordered map.
        overwrite: Delete the run in the run directory and start afresh.
        tensorboard: Write RUN/tensorboard too: the losses of each epoch and, at the end, the figures. Needs tensorboardX.
        quiet: Print nothing but errors, the run directory's path, and that data are SYNTHETIC.
    """
    if several_processes.coordinator is None:
        several_models.take_cores(recipe)
    several_processes.join(report=silent if quiet else say)
    report = silent if quiet or not multihost.is_first() else say
    if changes := PRESETS[preset].differences(Config()):
        report(f"--preset {preset} has {'; '.join(changes)}")
    with multihost.share_errors():
        dataset = data.dataset(recipe, report=silent if quiet else say)
        recipe = settle(recipe, dataset)
        members = recipes(recipe, seeds=several_models.seeds, sweep=several_models.sweep)
    multihost.check_agreement(recipe=[member.to_json() for member in members])
    with multihost.share_errors():
        directory = run_directory(run_dir, recipe)
        directories = member_directories(
            directory, labels(members), overwrite=overwrite, write=multihost.is_first()
        )
    events = [Events(place) for place in directories if tensorboard and multihost.is_first()]
    with (
        synthetic_banner(recipe),
        live_line(report) if report is say else nullcontext(report) as tell,
    ):
        for each in events:
            tell = each.ahead_of(tell)
        how: Any = {
            "devices": several_models.devices,
            "images_on_host": several_models.images_on_host,
        }
        how |= {"overwrite": overwrite, "origin": another_run.origin}
        states = fit_members(members, dataset, directories, **how, report=tell)
        for each in events:
            _add_figures(each, dataset)
            each.close()
    if len(members) > 1:
        report(ranking(members, [float(state.best_loss) for state in states]))
    for line in next_steps(directory, dataset, members=len(members), options=data.words):
        report(line)
    print(directory)


def _add_figures(events: Events, dataset: Dataset) -> None:
    from jaxae.evaluation import plots  # here, not above: 0.3 s that most trainings need not pay

    run = load(events.run_dir)
    for name in ("reconstructions", "error_maps", "noise_robustness", "latent_space"):
        events.add_figure(name, getattr(plots, name)(run, dataset))


def next_steps(directory: Path, dataset: Dataset, *, members: int, options: str = "") -> list[str]:
    """What to compare a finished run with, and what to do with it."""
    released = RELEASED_LOSS.get(dataset.name)
    compared = [f"The released run has the validation loss {released:.5f}."] if released else []
    figure = "all" if members == 1 else "seed-agreement"
    commands = ("jaxae evaluate", f"jaxae plot {figure}", "jaxae score")
    return [
        *compared,
        "Next:",
        *(f"  {command} {shlex.quote(str(directory))}{options}" for command in commands),
    ]
