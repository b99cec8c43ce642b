"""jaxae explore: writes a page in which a person explores the run."""

import tyro

from jaxae.cli.messages import say
from jaxae.cli.options import Source
from jaxae.export.explorer_page import explorer_page
from jaxae.runs import files


def main(source: Source, *, small: tyro.conf.FlagCreatePairsOff[bool] = False) -> None:
    """Writes RUN/explorer.html: the map of the test images, with the network running in the page.

    One file for any browser; it needs no network. Under a minute.

    Example: jaxae explore checkpoints/released

    Args:
        source: The run and its data.
        small: Compress the test images with loss, which makes the page a third smaller.
    """
    run = source.load(source.directory)
    files.check_writable(source.directory)
    page = explorer_page(run, source.dataset(run.config), small=small)

    path = source.directory / "explorer.html"
    files.write_text(path, page)
    say(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
