"""What the commands print."""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from jaxae.config import Config
from jaxae.errors import Report
from jaxae.evaluation.tables import markdown
from jaxae.train.population import varying
from jaxae.train.progress import Compiled, Epoch

PIPE = 13
"""SIGPIPE's number, which Windows has no name for."""

ERASE = "\r\x1b[K"

ARGUMENTS = {field.name for field in fields(Config)} | {
    *("run_dir", "data_dir", "manual_dir", "resume_from", "resume_epoch"),
    *("seeds", "sweep", "devices", "images_on_host", "member", "epoch"),
    *("coordinator", "processes", "process_id"),
}
"""Names of arguments that are options here: errors speak of arguments, and are translated."""


class Stop(KeyboardInterrupt):
    """A signal that ends the command, as an exception that carries its number."""


def say(told: Any) -> None:
    """Print for the person, on stderr: stdout is for what a program may read.

    Raises Stop if nobody reads it any more.
    """
    try:
        print(told, file=sys.stderr, flush=True)
    except BrokenPipeError:  # as an OSError it would be taken for a full disk on its way up
        raise Stop(PIPE) from None


def with_options(message: str) -> str:
    """Return an error about arguments as one about options: run_dir becomes --run-dir.

    Names without an underscore are words too: they are options at the beginning, before "is".
    """

    def option(found: re.Match[str]) -> str:
        name = found[0]
        return "--" + name.replace("_", "-") if name in ARGUMENTS else name

    message = re.sub(r"^[a-z]+(?=(\.\d+)? is )", option, message)
    return re.sub(r"(?<![\w/.=-])[a-z0-9]+(?:_[a-z0-9]+)+(?![\w/=])", option, message)


class LiveLine:
    """A line below the last one that says how far the running epoch is.

    An epoch is one compiled program, which cannot be asked: the line goes by the time of the epoch
    before.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.began = time.monotonic()
        self.epoch_seconds = 0.0

    def tell(self, told: Any) -> None:
        """Report above the line."""
        with self.lock:
            print(ERASE, end="", file=sys.stderr, flush=True)
            self.report(told)
        if isinstance(told, Compiled | Epoch):
            now = time.monotonic()
            self.epoch_seconds = now - self.began if isinstance(told, Epoch) else 0.0
            self.began = now

    def tick(self) -> None:
        """Draw the line until done is set."""
        while not self.done.wait(0.25):
            seconds = time.monotonic() - self.began
            far = f"working, {seconds:.0f} s"
            if self.epoch_seconds:
                far = f"epoch running, about {min(99, int(100 * seconds / self.epoch_seconds))} %"
            with self.lock, contextlib.suppress(OSError):
                print(f"{ERASE}… {far}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def live_line(report: Report) -> Iterator[Report]:
    """Yield the report, with a live line below it on a terminal."""
    if not sys.stderr.isatty():
        yield report
        return

    line = LiveLine(report)
    ticking = threading.Thread(target=line.tick, daemon=True)
    ticking.start()
    try:
        yield line.tell
    finally:
        line.done.set()
        ticking.join()
        with contextlib.suppress(OSError):
            print(ERASE, end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def synthetic_banner(config: Config) -> Iterator[None]:
    """Say before and after, where nobody can miss it, that the data are made up."""
    if config.dataset != "synthetic":
        yield
        return

    rule = "!" * 78
    words = "SYNTHETIC DATA, drawn by jaxae: the numbers say nothing about real images."
    banner = f"{rule}\n!!! {words}\n{rule}"
    try:
        say(banner)
        yield
    finally:
        say(banner)


def ranking(configs: Sequence[Config], losses: Sequence[float]) -> str:
    """Return the members as a Markdown table, the lowest validation loss first."""
    names = [*varying(configs), "seed"]
    rows = []
    for k in sorted(range(len(losses)), key=losses.__getitem__):
        values = [str(getattr(configs[k], name)) for name in names]
        rows.append([str(k), *values, f"{losses[k]:.5f}"])
    return markdown(["member", *names, "validation loss"], rows)
