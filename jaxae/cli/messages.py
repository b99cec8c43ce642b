"""What the commands print."""

import contextlib
import sys
from collections.abc import Iterator

from jaxae.config import Config

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
def synthetic_banner(config: Config) -> Iterator[None]:
    """Says before and after, where nobody can miss it, that the data are made up."""
    banner = (
        f"{'!' * 78}\n!!! SYNTHETIC DATA, drawn by jaxae: the numbers mean nothing beside those of real images.\n{'!' * 78}"
    )
    show = config.dataset == "synthetic"
    try:
        if show:
            say(banner)
        yield
    finally:
        if show:
            say(banner)
