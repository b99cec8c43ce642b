"""Ends the commands that write results by signals, half of them while they write; kill_resume.py calls it."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from jaxae.cli import messages
from jaxae.errors import InputError
from jaxae.inference import load
from jaxae.runs.manifest import tree_digest
from jaxae.temporary import PREFIX

SIGNALS = {
    "KILL": {-9},
    "TERM": {-15, 143},
    "HUP": {-1},
    "QUIT": {-3},
    "INT": {-2, 130},
    "STOP": {-9},
}
"""The exit codes of a process that such a signal has ended. STOP: stopped, gone on with CONT, then KILL."""
COMMANDS = {
    "evaluate": "evaluation.json",
    "score": "latent_scorecard.json",
    "plot reconstructions": "figures/reconstructions.png",
    "plot latent-space": "figures/latent_space.png",
    "plot training-curves": "figures/training_curves.png",
    "release": "",
}
"""What each writes in its run; release writes a directory of its own."""
OLD = "an older result, which may be left but not be cut\n" * 1000


def ended_by(process: subprocess.Popen[str], name: str) -> bool:
    """Sends the signal and waits. False where the process had ended by itself; raises InputError where it ended otherwise."""
    process.send_signal(signal.Signals[f"SIG{name}"])
    if name == "STOP":
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        process.kill()
    _, err = process.communicate()  # a signal other than KILL lets it say its last line
    if process.returncode not in SIGNALS[name] | {0} and not (
        name == "INT" and "KeyboardInterrupt" in err
    ):
        last = (err.splitlines() or [""])[-1]
        raise InputError(f"A process that got {name} ended with {process.returncode}: {last}")
    return process.returncode != 0


def all_of(whole: Path, place: Path, kills: int, names: list[str], draw: random.Random) -> bool:
    """Whether after each signal what was there or the new result is there whole, and the command then ends as it should."""
    expected, seconds = {}, {}
    for command in COMMANDS:
        began = time.monotonic()
        with start(command, whole, place / "released") as process:
            _, err = process.communicate()
        if process.returncode:
            raise InputError(f"{command} ended with {process.returncode}: {err.splitlines()[-1]}")
        seconds[command] = time.monotonic() - began
        expected[command] = contents(command, whole, place / "released")
    done = writing = good = 0
    while done < kills:
        command = list(COMMANDS)[done % len(COMMANDS)]
        run, released = place / "run-SYNTHETIC", place / "released-again"
        shutil.copytree(whole, run)
        if COMMANDS[command]:
            (run / COMMANDS[command]).write_text(OLD)
        with start(command, run, released) as process:
            wait(process, place, draw.uniform(0, seconds[command]) if draw.random() < 0.5 else None)
            killed = ended_by(process, names[done // len(COMMANDS) % len(names)])
        done += killed
        writing += killed and any(True for _ in place.rglob(f"{PREFIX}*"))
        left = contents(command, run, released)
        sound = left in (expected[command], OLD if COMMANDS[command] else None)
        if left != expected[command]:
            with start(command, run, released) as again:
                again.communicate()
        same = contents(command, run, released) == expected[command] and not any(
            True for _ in place.rglob(f"{PREFIX}*")
        )
        good += killed and sound and same
        messages.say(
            f"{done:3d} {command}: {'whole, and the same again' if sound and same else 'WRONG'}"
        )
        shutil.rmtree(run)
        shutil.rmtree(released, ignore_errors=True)
    print(
        f"{good} of {done} commands that were ended left whole files and did the same again; {writing} were ended in a write"
    )
    return good == done


def start(command: str, run: Path, released: Path) -> subprocess.Popen[str]:
    """The command, as a user types it."""
    words = [
        sys.executable,
        "-m",
        "jaxae",
        *command.split(),
        str(run),
        *([] if COMMANDS[command] else [str(released)]),
    ]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait(process: subprocess.Popen[str], place: Path, seconds: float | None) -> None:
    """Until so many seconds have gone by, or until an unfinished file or folder is there; or until the process has ended."""
    end = time.monotonic() + (1e9 if seconds is None else seconds)
    while process.poll() is None and time.monotonic() < end:
        if seconds is None and any(True for _ in place.rglob(f"{PREFIX}*")):
            return
        time.sleep(0.0005 if seconds is None else 0.01)


def contents(command: str, run: Path, released: Path) -> object:
    """The result's text or bytes; of a release its files' names, texts and variables; None where there is none."""
    path = run / COMMANDS[command]
    if COMMANDS[command]:
        raw = path.read_bytes()
        return OLD if raw == OLD.encode() else raw
    if not released.exists():
        return None
    texts = {each.name: each.read_bytes() for each in released.iterdir() if each.is_file()}
    loaded = load(released)
    return texts, loaded.epoch, tree_digest(loaded.variables)
