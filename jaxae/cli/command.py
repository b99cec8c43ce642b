"""A command line for a function: options from its signature, one line for a user's mistake, exit codes for signals."""

import contextlib
import functools
import importlib.metadata
import inspect
import io
import os
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from jaxae.cli.messages import PIPE, Stop, say
from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset
from jaxae.digests import json_digest
from jaxae.errors import InputError, Report, brief, expand, refusal
from jaxae.inference import Run, load
from jaxae.runs.directory import members
from jaxae.runs.environment import cpu
from jaxae.train import multihost

Main = Callable[..., None] | Mapping[str, Callable[..., None]]
"""A function, or several by the names of subcommands."""


def run(main: Main) -> None:
    """Calls main with the arguments of the command line. Exit codes: 2 for a user's mistake, 130 and 143 when stopped."""
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show ± must not end a run
    try:
        sys.unraisablehook = _report_lost
        _handle_signals(_stop)
        command = _parse(main)
        _use_compilation_cache(os.environ.get("JAXAE_COMPILATION_CACHE"))
        _check_jax()
        command()
        if sys.stdout:
            sys.stdout.flush()
    except InputError as error:
        _fail(str(error))
    except BrokenPipeError:  # whoever read the output has gone: nobody is left to tell
        os._exit(128 + PIPE)
    except OSError as error:  # what no closer place has explained
        _fail(refusal(error))
    except jax.errors.JaxRuntimeError as error:
        if not multihost.joined():
            raise
        _fail(
            f"another process is gone, or JAX has failed here ({brief(error)}): start all again, what is saved is whole"
        )
    except Stop as stop:
        with contextlib.suppress(
            Exception, Stop
        ):  # the terminal may be gone, and the exit code is what counts
            say("Stopped.")
            sys.stdout.flush()
        os._exit(
            128 + stop.args[0]
        )  # sys.exit would wait for the epoch that the device is computing
    finally:  # while Python ends, Stop would get lost, and the alarm of _stop would end the process
        _handle_signals(signal.SIG_DFL)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _fail(reason: str) -> None:
    say(f"error: {' '.join(reason.splitlines())}")  # a name may hold line breaks
    if multihost.joined():
        time.sleep(
            1 if multihost.is_first() else 0
        )  # the others end by themselves, or with the first, with a stack trace
        os._exit(2)  # sys.exit would wait for them
    sys.exit(2)


def _use_compilation_cache(directory: str | None) -> None:
    """Keeps compiled programs for later starts. The folder is one jaxlib's and one processor's: code for another may crash."""
    if not directory:
        return
    key = {"jaxlib": importlib.metadata.version("jaxlib"), **cpu()}
    folder = expand(directory).absolute() / f"jaxlib-{key['jaxlib']}-{json_digest(key)[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"JAXAE_COMPILATION_CACHE is {directory}: {error.strerror}; name a folder that can be written"
        ) from error
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _handle_signals(handler: Any) -> None:
    """Sets the handler of SIGINT and SIGTERM, unless the process was started to ignore them, as `nohup` and `&` do."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _check_jax() -> None:
    """Raises InputError where the environment asks for what would change every draw, or for a device that is not here."""
    for name in ("jax_enable_x64", "jax_debug_nans"):
        if getattr(jax.config, name):
            raise InputError(
                f"{name.upper()} is on: jaxae computes in float32 and checks its losses itself; unset it"
            )
    asked = os.environ.get("JAX_PLATFORMS")
    several = any(
        word.startswith("--coordinator") for word in sys.argv
    )  # joining others must come before the devices
    if asked and asked != "cpu" and not several:
        try:
            jax.devices()
        except RuntimeError as error:
            raise InputError(
                f"JAX_PLATFORMS is {asked}: {brief(error)}; unset it, or install JAX for that device"
            ) from error


def _stop(number: int, frame: object) -> None:
    _handle_signals(signal.SIG_DFL)  # a second signal stops at once
    if hasattr(
        signal, "setitimer"
    ):  # in a callback of the garbage collector the exception gets lost: it is raised again
        signal.signal(signal.SIGALRM, lambda *_: _stop(number, None))
        signal.setitimer(signal.ITIMER_REAL, 1.0)
    raise Stop(number)


def _report_lost(lost: "sys.UnraisableHookArgs") -> None:
    if not isinstance(lost.exc_value, Stop):
        sys.__unraisablehook__(lost)


def _parse(main: Main) -> Callable[[], None]:
    """main bound to the command line's arguments. tyro's framed complaint becomes one line."""

    def bound(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
        return functools.wraps(function)(
            lambda *args, **kwargs: functools.partial(function, *args, **kwargs)
        )

    plain = (tyro.conf.OmitArgPrefixes,)
    given = [
        word.partition("=")[0].replace("_", "-")
        for word in sys.argv[1:]
        if word.startswith("--") and word != "--"
    ]
    for option in set(given) - {"--sweep"}:
        if given.count(option) > 1:
            raise InputError(f"{option} is given {given.count(option)} times: give it once")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            if isinstance(main, Mapping):
                functions = {name: bound(each) for name, each in main.items()}
                about = inspect.getdoc(inspect.getmodule(next(iter(main.values()))))
                return tyro.extras.subcommand_cli_from_dict(
                    functions, description=about, config=plain
                )
            return tyro.cli(bound(main), config=plain)
    except SystemExit as stop:
        if not stop.code:
            raise
        lines = [
            line.strip(" │╭╮╰╯─") for line in complaint.getvalue().splitlines()
        ]  # plain ASCII in some locales
        words = [line for line in lines if line.strip("-")][1:]  # after the title
        end = next(
            (i for i, line in enumerate(words) if line.startswith("For full helptext")), len(words)
        )
        raise InputError(f"{' '.join(words[:end])} (see --help)") from None


def optional(metavar: str, text: str) -> Any:
    """How --help shows an option that may be left out."""
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
        return "".join(
            f" {option} {shlex.quote(str(place))}" for option, place in given.items() if place
        )


@dataclass(frozen=True, kw_only=True)
class Source(DataPlace):
    """A run to look at, and the data to look with."""

    run: tyro.conf.Positional[Path]
    """Run directory, as jaxae train writes it."""
    epoch: Annotated[
        int | None,
        optional("INT", "Take this epoch's checkpoint; by default the best one."),
    ] = None
    member: Annotated[
        int | None, optional("INT", "Which member of a population to look at, from 0.")
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

    def dataset(
        self, config: Config, *, moved_to: str | None = None, report: Report = say
    ) -> Dataset:
        """The run's data, wherever they are now. Raises InputError."""
        return super().dataset(config, moved_to=moved_to or self.moved_to, report=report)

    def load(self, directory: Path) -> Run:
        """Return the run in a directory, at the chosen epoch, which is then named. Raises InputError."""
        run = load(directory, epoch=self.epoch)
        if self.epoch is not None:
            say(f"Taking epoch {run.epoch} of {directory}: all that is written is of this epoch")
        return run

    @property
    def directories(self) -> list[Path]:
        """The run, the chosen member of a population, or all of them. Raises InputError."""
        found = members(self.run)
        if self.member is None:
            return found
        if not 0 <= self.member < len(found) or found == [self.run]:
            has = (
                "is an ordinary run"
                if found == [self.run]
                else f"has members 0 to {len(found) - 1}"
            )
            raise InputError(f"--member is {self.member}, but {self.run} {has}")
        return [found[self.member]]

    @property
    def directory(self) -> Path:
        """The run, or the chosen member of a population. Raises InputError."""
        if len(self.directories) > 1:
            raise InputError(
                f"{self.run} has {len(self.directories)} members: choose one, from --member 0 on"
            )
        return self.directories[0]
