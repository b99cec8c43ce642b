"""jaxae train: trains a model, or several at once, or resumes what the run directory holds."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxae.cli.ending import explained, moved, next_steps
from jaxae.cli.messages import live_line, ranking, say, synthetic_banner
from jaxae.cli.options import DataPlace, optional
from jaxae.config import (
    PRESETS,
    Config,
    DataOptions,
    NetworkOptions,
    OptimizerOptions,
    PlateauOptions,
)
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError, Report, expand, silent
from jaxae.inference import load
from jaxae.runs.directory import run_directory
from jaxae.runs.population import member_directories
from jaxae.runs.tensorboard import Events
from jaxae.train.loop import fit_members, settle
from jaxae.train.multihost import ALONE, Processes, join
from jaxae.train.population import labels, recipes
from jaxae.train.progress import Epoch
from jaxae.train.resume import Origin, begin_from
from jaxae.train.sharding import take_cores


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
    """Devices per process, or all. auto: one; a CPU's cores for several models."""

    images_on_host: bool = False
    """Send the images to the device in blocks, as is done where they don't fit. No bit changes."""


@dataclass(frozen=True, kw_only=True)
class SeveralProcesses:
    """Several processes that train together, on one machine or many.

    Start the same command in each, but for --process-id.
    """

    coordinator: Annotated[
        str | None,
        optional(
            "HOST:PORT", "Where all reach process 0. auto: as the cluster's environment says."
        ),
    ] = None

    processes: Annotated[int | None, optional("INT", "How many they are.")] = None

    process_id: Annotated[
        int | None,
        optional("INT", "The number of this process, from 0. Process 0 alone has the files."),
    ] = None

    def join(self, *, report: Report = say) -> Processes:
        """Join them, before any other use of JAX. Raises InputError."""
        if self.coordinator is not None:
            return join(
                self.coordinator,
                processes=self.processes,
                process_id=self.process_id,
                report=report,
            )
        if self.processes is not None or self.process_id is not None:
            raise InputError(
                "--processes and --process-id are given without --coordinator: "
                "say where process 0 can be reached"
            )
        return ALONE


@dataclass(frozen=True, kw_only=True)
class AnotherRun:
    """Begin from a checkpoint of another run, such as with a lower learning rate."""

    resume_from: Annotated[
        Path | None,
        optional("RUN", "Take its weights and optimiser; learning rate and plateau start again."),
    ] = None

    resume_epoch: Annotated[
        str | None,
        optional("EPOCH", "best (by default), latest, or a number that RUN/states has."),
    ] = None

    @property
    def origin(self) -> Origin | None:
        """The checkpoint, if one is named. Raises InputError."""
        if self.resume_from is None:
            if self.resume_epoch is not None:
                raise InputError(
                    f"resume_epoch is {self.resume_epoch}, without resume_from: "
                    "name the run that has it"
                )
            return None
        return Origin(expand(self.resume_from).absolute(), self.resume_epoch or "best")


def main(
    data: DataOptions,
    network_and_noise: NetworkOptions,
    optimiser: OptimizerOptions,
    plateau_and_end: PlateauOptions,
    place: DataPlace,
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

    Progress goes to stderr; stdout gets the run directory's path. Ctrl-C loses at most the running
    epoch.

    Example: jaxae train --epochs 30 --noise-factor 0.4 --run-dir checkpoints/noisy

    Args:
        run_dir: Where the run is kept.
        preset: The recipe that the other options change. clean: lower errors; map: an ordered map.
        overwrite: Delete the run in the run directory and start again.
        tensorboard: Write RUN/tensorboard too: losses and figures. Needs tensorboardX.
        quiet: Print only errors, the run directory's path, and that data are SYNTHETIC.
    """
    # The groups hold the preset's values already: cli/command parses a second time for them.
    recipe = join_groups([data, network_and_noise, optimiser, plateau_and_end])
    origin = another_run.origin
    members = recipes(recipe, seeds=several_models.seeds, sweep=several_models.sweep)
    if several_processes.coordinator is None:
        take_cores(several_models.devices, members=len(members))

    processes = several_processes.join(report=silent if quiet else say)
    shown = processes.first and not quiet
    report = say if shown else silent
    changes = PRESETS[preset].differences(Config())
    if changes:
        report(f"The preset {preset} has {'; '.join(changes)}")

    with processes.share_errors():
        dataset = place.dataset(recipe, report=silent if quiet else say)
        configs = [settle(each, dataset) for each in members]
    processes.check_agreement(
        recipe=[config.to_json() for config in configs],
        data=dataset.digest,
        devices=several_models.devices,
        images_on_host=several_models.images_on_host,
    )

    with processes.share_errors():
        directory = run_directory(run_dir, configs[0])
        directories = member_directories(
            directory, labels(configs), overwrite=overwrite, write=processes.first
        )
        writes_events = tensorboard and processes.first
        events = [Events(each) for each in directories] if writes_events else []
        if origin and processes.first:
            begin_from(origin, directories, configs, dataset, overwrite=overwrite, report=report)
    if origin:
        overwrite = False  # what there was is gone already

    live = live_line(report) if shown else nullcontext(report)

    with synthetic_banner(configs[0]), live as tell:

        def tell_events_first(told: Any) -> None:
            # TensorBoard has an epoch before its line is out, as the disk has.
            if isinstance(told, Epoch):
                for each in events:
                    each.update()
            tell(told)

        states = fit_members(
            configs,
            dataset,
            directories,
            devices=several_models.devices,
            images_on_host=several_models.images_on_host,
            overwrite=overwrite,
            processes=processes,
            report=tell_events_first,
        )
        for each in events:
            _add_figures(each, dataset)
            each.close()

    if len(configs) > 1:
        report(ranking(configs, [float(state.best_loss) for state in states]))
    if len(configs) == 1 and processes.first:
        lines = explained(directory, int(states[0].best_epoch), configs[0], dataset)
        if origin:
            lines += moved(origin.run_dir, directory, dataset, place)
        for line in lines:
            report(line)
    for line in next_steps(directory, dataset, configs, options=place.words):
        report(line)
    print(directory)


def join_groups(groups: Sequence[Any]) -> Config:
    """Return the recipe of the four groups of options. Raises InputError."""
    values: dict[str, Any] = {}
    for group in groups:
        values |= vars(group)
    return Config(**values)


def _add_figures(events: Events, dataset: Dataset) -> None:
    from jaxae.evaluation import plots  # here, not above: 0.3 s that most trainings need not pay

    run = load(events.run_dir)
    for name in ("reconstructions", "error_maps", "noise_robustness", "latent_space"):
        events.add_figure(name, getattr(plots, name)(run, dataset))
