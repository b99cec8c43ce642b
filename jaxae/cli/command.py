"""A command line for a function: options from its signature, one line for a user's mistake.

Exit codes: 2 for a mistake, 130 and 143 for signals.
"""

import contextlib
import ctypes
import functools
import importlib.metadata
import inspect
import io
import os
import platform
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import jax
import tyro

from jaxae.cli.messages import PIPE, Stop, say, with_options
from jaxae.config import GROUPS, PRESETS
from jaxae.digests import json_digest
from jaxae.errors import Diverged, InputError, brief, expand, refusal
from jaxae.runs.environment import cpu
from jaxae.switches import set_usual_switches
from jaxae.train import multihost

Main = Callable[..., None] | Mapping[str, Callable[..., None]]
"""A function, or several by the names of subcommands."""

Command = functools.partial[None]
"""A function that is bound to the arguments of the command line."""

PLAIN = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)

M_MMAP_THRESHOLD = -3
"""glibc's number for the size from which on a block of memory is mapped by itself."""


def run(main: Main) -> None:
    """Call main with the arguments of the command line."""
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show ± must not end a run

    try:
        sys.unraisablehook = _report_lost
        _handle_signals(_stop)
        command = parse(main)
        _use_compilation_cache(os.environ.get("JAXAE_COMPILATION_CACHE"))
        set_usual_switches()
        _return_freed_memory()
        _check_device()
        command()
        if sys.stdout:
            sys.stdout.flush()
    except (InputError, Diverged) as error:
        _fail(with_options(str(error)))
    except BrokenPipeError:  # whoever read the output has gone: nobody is left to tell
        os._exit(128 + PIPE)
    except OSError as error:  # what no closer place has explained
        _fail(refusal(error))
    except (MemoryError, RuntimeError, ValueError) as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # JAX's words
            _fail(with_options(_too_little_memory(error)))
        if not isinstance(error, jax.errors.JaxRuntimeError) or not multihost.joined():
            raise
        _fail(
            f"another process is gone, or JAX has failed here ({brief(error)}): "
            "start all again, what is saved is whole"
        )
    except Stop as stop:
        # The terminal may be gone: the exit code is what counts.
        with contextlib.suppress(Exception, Stop):
            say("Stopped.")
            sys.stdout.flush()
        os._exit(128 + stop.args[0])  # sys.exit would wait for the epoch that is being computed
    finally:
        # While Python ends, Stop would get lost, and the alarm of _stop would end the process.
        _handle_signals(signal.SIG_DFL)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _too_little_memory(error: Exception) -> str:
    return (
        f"The memory is not enough ({brief(error)}): give a smaller batch_size or image_size, "
        "images_on_host on a GPU, or arrays that numpy.save or numpy.savez has written, which stay "
        "on the disk"
    )


def parse(main: Main) -> Command:
    """Bind main to the command line's arguments. Raises InputError, one line, for a mistake."""
    given = [word.partition("=")[0] for word in sys.argv[1:] if re.match("--.", word)]
    given = [option.replace("_", "-") for option in given]
    for option in set(given) - {"--sweep"}:
        if given.count(option) > 1:
            raise InputError(f"{option} is given {given.count(option)} times: give it once")

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return _parse(main)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(f"{_one_line(complaint.getvalue())} (see --help)") from None


def _parse(main: Main) -> Command:
    if isinstance(main, Mapping):
        commands = {name: _bound(function) for name, function in main.items()}
        about = inspect.getdoc(inspect.getmodule(next(iter(main.values()))))
        return tyro.extras.subcommand_cli_from_dict(commands, description=about, config=PLAIN)

    command = tyro.cli(_bound(main), config=PLAIN)
    preset = command.keywords.get("preset", "default")
    if preset != "default":
        # The same arguments again, with the preset's values as the defaults of the others.
        command = tyro.cli(functools.partial(_bound(main), **_groups(main, preset)), config=PLAIN)
    return command


def _bound(function: Callable[..., None]) -> Callable[..., functools.partial[None]]:
    """Return a function with the same signature that binds its arguments instead of running."""

    @functools.wraps(function)
    def bound(*args: Any, **kwargs: Any) -> functools.partial[None]:
        return functools.partial(function, *args, **kwargs)

    return bound


def _groups(main: Callable[..., None], preset: str) -> dict[str, Any]:
    """Return main's parameters that are groups of a recipe's options, with a preset's values."""
    recipe = vars(PRESETS[preset])
    groups = {}
    for name, parameter in inspect.signature(main).parameters.items():
        kind = parameter.annotation
        if kind in GROUPS:
            groups[name] = kind(**{field.name: recipe[field.name] for field in fields(kind)})
    return groups


def _one_line(framed: str) -> str:
    """Return what tyro complains of, without its frame and title."""
    lines = [line.strip(" │╭╮╰╯─") for line in framed.splitlines()]  # plain ASCII in some locales
    words = []
    for line in [line for line in lines if line.strip("-")][1:]:
        if line.startswith("For full helptext"):
            break
        words.append(line)
    return _without_types(" ".join(words))


def _without_types(complaint: str) -> str:
    """Return tyro's complaint of a value as what was given, and what to give."""
    missing = re.match(r"Missing value for argument '(?:\w+\.)?(\w+)'", complaint)
    if missing:
        return f"{missing[1]} is missing, or follows what is no option: write ./-x for a folder -x"

    found = re.match(
        r"Error parsing (--\S+): .* Argument helptext: --\S+ (.+?) ([A-Z][a-z]|A )", complaint
    )
    if not found:
        return complaint

    option, wanted = found.group(1, 2)
    words = re.split(r"(?:^| )(--[\w-]+)[= ]?", " ".join(sys.argv[1:]).replace("_", "-"))
    given = dict(zip(words[1::2], words[2::2], strict=True))
    return f"{option} is {given.get(option, '')}: give {wanted}"


def _fail(reason: str) -> None:
    say(f"error: {' '.join(reason.splitlines())}")  # a name may hold line breaks
    if multihost.joined():
        # The others end by themselves; with the first one gone, they would end with a stack trace.
        time.sleep(1 if jax.process_index() == 0 else 0)
        os._exit(2)  # sys.exit would wait for them
    sys.exit(2)


def _use_compilation_cache(directory: str | None) -> None:
    """Keep compiled programs for later starts.

    The folder is one jaxlib's and one processor's: code for another may crash. It is one Python's
    too: Python 3.14 brings the compression that JAX takes, and older ones read no such file.
    """
    if not directory:
        return
    jaxlib, python = importlib.metadata.version("jaxlib"), platform.python_version()
    key = {"jaxlib": jaxlib, "python": python, **cpu()}
    folder = expand(directory).absolute() / f"jaxlib-{jaxlib}-{json_digest(key)[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"JAXAE_COMPILATION_CACHE is {directory}: {error.strerror}; "
            "name a folder that can be written"
        ) from error
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _return_freed_memory() -> None:
    """Have glibc give blocks of 4 MB or more back to the system when they are freed.

    By itself it keeps those of up to 32 MB once one was freed: in a training a gigabyte or more.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**22)


def _check_device() -> None:
    """Raise InputError where the environment asks for a device that is not here."""
    # To join other processes must come before the first look at the devices.
    if any(word.startswith("--coordinator") for word in sys.argv):
        return

    for name in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME"):
        asked = os.environ.get(name)
        if not asked or asked == "cpu":
            continue
        try:
            jax.devices()
        except (RuntimeError, AssertionError) as error:  # JAX asserts that there is a GPU for cuda
            raise InputError(
                f"{name} is {asked}: {brief(error)}; unset it, or install JAX for that device"
            ) from error


def _handle_signals(handler: Any) -> None:
    """Set the handler of SIGINT and SIGTERM, unless they are ignored, as under `nohup` and `&`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> None:
    _handle_signals(signal.SIG_DFL)  # a second signal stops at once
    if hasattr(signal, "setitimer"):
        # In a callback of the garbage collector the exception gets lost: it is raised again.
        signal.signal(signal.SIGALRM, lambda *_: _stop(number, None))
        signal.setitimer(signal.ITIMER_REAL, 1.0)
    raise Stop(number)


def _report_lost(lost: "sys.UnraisableHookArgs") -> None:
    if not isinstance(lost.exc_value, Stop):
        sys.__unraisablehook__(lost)
