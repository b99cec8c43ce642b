"""Signals that end a process, and what they leave."""

import signal
import subprocess
import time
from pathlib import Path

from jaxae.errors import InputError
from jaxae.temporary import PREFIX

EXIT_CODES = {
    "KILL": {-9},
    "TERM": {-15, 143},
    "HUP": {-1},
    "QUIT": {-3},
    "INT": {-2, 130},
    "STOP": {-9},
}
"""The exit codes of a process that such a signal has ended. STOP: stopped, continued, killed."""


def names_in(text: str) -> list[str]:
    """Return the names in a text with commas. Raises InputError for one that is not there."""
    names = text.split(",")
    for name in names:
        if name not in EXIT_CODES:
            raise InputError(f"signals has {name!r}: give some of {', '.join(EXIT_CODES)}")
    return names


def stop_ignoring() -> None:
    """Handle signals as usual: a job in the background ignores some, and so would its children."""
    for name in EXIT_CODES:
        number = signal.Signals[f"SIG{name}"]
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def end(process: subprocess.Popen[str], name: str) -> bool:
    """Send the signal and wait. Return False if the process had ended by itself.

    Raises InputError if it ended in any other way.
    """
    process.send_signal(signal.Signals[f"SIG{name}"])
    if name == "STOP":
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        process.kill()

    _, said = process.communicate()
    if process.returncode == 0:
        return False
    interrupted = name == "INT" and "KeyboardInterrupt" in said  # before jaxae handles it
    if process.returncode not in EXIT_CODES[name] and not interrupted:
        raise InputError(f"A process that got {name} ended: {failure(process, said)}")
    return True


def failure(process: subprocess.Popen[str], said: str) -> str:
    """Return the exit code and the last line of a process."""
    return f"exit code {process.returncode}, {(said.splitlines() or ['it said nothing'])[-1]}"


def unfinished(place: Path) -> bool:
    """Return whether a file or folder is there that a write has begun, or a deletion."""
    return any(True for _ in place.rglob(f"{PREFIX}*"))
