"""The decoder's images over the latent plane, and the test images' density there → RUN/figures/latent_grid.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.evaluation.latent_plane import quantile_grid
from jaxae.figures.latent_plane import latent_grid
from jaxae.inference import decode, encode, load_run
from jaxae.runs import files

CELLS = 20


def main(source: options.Source) -> None:
    """Draws what the decoder makes of the latent plane, on the quantiles of the test images → RUN/figures/latent_grid.png."""
    run = load_run(source.directory)
    test = source.dataset(run.config).test
    edges, middles, counts = quantile_grid(encode(run, to_unit(test.images)), cells=CELLS)
    figure = latent_grid(
        decode(run, middles).reshape(CELLS, CELLS, *test.images.shape[1:]),
        counts,
        edges=(edges[0], edges[1]),
        title=f"The decoder over the latent plane: {run.config.data_title}, {len(test.images):,} clean test images",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'latent_grid', figure)}")


if __name__ == "__main__":
    command.run(main)
