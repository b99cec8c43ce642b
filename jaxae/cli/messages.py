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
    """Says before and after, where nobody can miss it, that the data is not Fashion-MNIST."""
    banner = f"{'!' * 78}\n!!! SYNTHETIC DATA. This is not Fashion-MNIST; the numbers mean nothing beside it.\n{'!' * 78}"
    show = config.dataset == "synthetic"
    try:
        if show:
            say(banner)
        yield
    finally:
        if show:
            say(banner)
