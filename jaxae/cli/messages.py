"""What the commands print."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from jaxae.config import Config
from jaxae.errors import Report
from jaxae.evaluation.tables import markdown
from jaxae.train.population import varying

PIPE = 13
"""SIGPIPE's number, which Windows has no name for."""


class Stop(KeyboardInterrupt):
    """A signal that ends the command, as an exception that carries its number."""


def say(line: str) -> None:
    """A line for the person, on stderr: stdout is for what a program may read. Raises Stop where nobody reads it any more."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:  # as an OSError it would be taken for a full disk on its way up
        raise Stop(PIPE) from None


@contextlib.contextmanager
def live_line(report: Report) -> Iterator[Report]:
    """The report; on a terminal, with a line below its last that says how far the running epoch is, by the time of the last.

    An epoch is one compiled program, which cannot be asked: hence the clock.
    """
    if not sys.stderr.isatty():
        yield report
        return
    lock, done, began, lap = threading.Lock(), threading.Event(), time.monotonic(), 0.0

    def erase() -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def tick() -> None:
        while not done.wait(0.25):
            seconds = time.monotonic() - began
            far = (
                f"epoch running, about {min(99, int(100 * seconds / lap))} %"
                if lap
                else f"working, {seconds:.0f} s"
            )
            with lock, contextlib.suppress(OSError):
                print(f"\r\x1b[K… {far}", end="", file=sys.stderr, flush=True)

    def report_below(line: str) -> None:
        nonlocal began, lap
        with lock:
            erase()
            report(line)
        if line.startswith(("Compiled", "epoch ")):
            lap = time.monotonic() - began if line.startswith("epoch ") else 0.0
            began = time.monotonic()

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield report_below
    finally:
        done.set()
        ticking.join()
        with contextlib.suppress(OSError):
            erase()


@contextlib.contextmanager
def synthetic_banner(config: Config) -> Iterator[None]:
    """Says before and after, where nobody can miss it, that the data are made up."""
    banner = f"{'!' * 78}\n!!! SYNTHETIC DATA, drawn by jaxae: the numbers mean nothing beside those of real images.\n{'!' * 78}"
    show = config.dataset == "synthetic"
    try:
        if show:
            say(banner)
        yield
    finally:
        if show:
            say(banner)


def ranking(configs: Sequence[Config], losses: Sequence[float]) -> str:
    """The members as a Markdown table, the lowest validation loss first."""
    names = [*varying(configs), "seed"]
    order = sorted(range(len(losses)), key=losses.__getitem__)
    rows = [
        [f"{k}", *(f"{getattr(configs[k], name)}" for name in names), f"{losses[k]:.5f}"]
        for k in order
    ]
    return markdown(["member", *names, "validation loss"], rows)
