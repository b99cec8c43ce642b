"""End the commands that write results, half of them while they write. See kill_resume."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT
from benchmarks.robustness import signals
from jaxae.cli import messages
from jaxae.errors import InputError
from jaxae.inference import load
from jaxae.runs.manifest import tree_digest

RELEASE = "release"
"""The command that writes a directory of its own."""

WRITTEN = {
    "evaluate": "evaluation.json",
    "score": "latent_scorecard.json",
    "plot reconstructions": "figures/reconstructions.png",
    "plot latent-space": "figures/latent_space.png",
    "plot training-curves": "figures/training_curves.png",
    RELEASE: "",
}
"""The commands, and the file that each writes into its run."""

OLD = b"an older result, which may be left but not be cut\n" * 1000


class Released(NamedTuple):
    """The contents of a release."""

    files: dict[str, bytes]
    epoch: int
    variables: str


Contents = bytes | Released | None
"""A result, or nothing."""


class Usual(NamedTuple):
    """A command that nothing ends."""

    seconds: float
    contents: Contents


def kill_all(whole: Path, place: Path, kills: int, names: list[str], draw: random.Random) -> bool:
    """Return whether every command left whole files, and then did its work when started again.

    Arguments:
        whole: A finished run.
        place: A folder for copies.
        kills: Number of signals.
        names: Signals, in turn.
        draw: Draws the instants.
    """
    usual = {command: let_run(command, whole, place / "released") for command in WRITTEN}
    run, released = place / "run-SYNTHETIC", place / "released-again"
    done = writing = good = 0
    while done < kills:
        command = list(WRITTEN)[done % len(WRITTEN)]
        expected = usual[command].contents
        old = None if command == RELEASE else OLD
        shutil.copytree(whole, run)
        if command != RELEASE:
            (run / WRITTEN[command]).write_bytes(OLD)

        with start(command, run, released) as process:
            if draw.random() < 0.5:
                wait_for_write(process, place)
            else:
                wait_at_most(process, draw.uniform(0, usual[command].seconds))
            if signals.end(process, names[done // len(WRITTEN) % len(names)]):
                done += 1
                writing += signals.unfinished(place)
                left = contents(command, run, released)
                if left != expected:
                    let_run(command, run, released)
                sound = left in (expected, old)
                same = contents(command, run, released) == expected
                fine = sound and same and not signals.unfinished(place)
                good += fine
                messages.say(f"{done:3d} {command}: {'whole, then the same' if fine else 'WRONG'}")
        shutil.rmtree(run)
        shutil.rmtree(released, ignore_errors=True)

    print(
        f"{good} of {done} commands that were ended left whole files and then did their work;"
        f" {writing} were ended in a write"
    )
    return good == done


def let_run(command: str, run: Path, released: Path) -> Usual:
    """Run a command to its end. Raises InputError if it fails."""
    began = time.monotonic()
    with start(command, run, released) as process:
        _, said = process.communicate()
    if process.returncode:
        raise InputError(f"jaxae {command} failed: {signals.failure(process, said)}")
    return Usual(time.monotonic() - began, contents(command, run, released))


def start(command: str, run: Path, released: Path) -> subprocess.Popen[str]:
    """Start a command."""
    words = [sys.executable, "-m", "jaxae", *command.split(), str(run)]
    if command == RELEASE:
        words.append(str(released))
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def wait_for_write(process: subprocess.Popen[str], place: Path) -> None:
    """Wait until the process has begun to write, or has ended."""
    while process.poll() is None and not signals.unfinished(place):
        time.sleep(0.0005)


def wait_at_most(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait for this long, or until the process has ended."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def contents(command: str, run: Path, released: Path) -> Contents:
    """Return what the command has written."""
    if command != RELEASE:
        return (run / WRITTEN[command]).read_bytes()
    if not released.exists():
        return None
    loaded = load(released)
    files = {
        path.relative_to(released).as_posix(): path.read_bytes()
        for path in released.rglob("*")
        if path.is_file() and "states" not in path.relative_to(released).parts
    }
    return Released(files, loaded.epoch, tree_digest(loaded.variables))
