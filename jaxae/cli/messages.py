"""What the commands print."""

import contextlib
import sys
from collections.abc import Iterator

from jaxae.config import Config


def say(line: str) -> None:
    """A line for the person, on stderr: stdout is for what a program may read."""
    print(line, file=sys.stderr, flush=True)


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
