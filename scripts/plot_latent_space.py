"""Figure 4: all test images as points of the latent plane → RUN/figures/latent_space.png."""

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli, options, rundir
from jaxae.data import CLASSES
from jaxae.evaluate import encode, load_run
from jaxae.latent_figures import latent_space
from jaxae.step import to_unit


def main(source: options.Source) -> None:
    """Draws all clean test images as points of the 2-D latent space, a colour a class → RUN/figures/latent_space.png."""
    run = load_run(source.directory)
    test = source.dataset(run.config).test
    figure = latent_space(
        encode(run, to_unit(test.images)),
        test.labels,
        names=CLASSES,
        title=f"The {len(test.images):,} clean {run.config.data_title} test images in the 2-D latent space",
    )
    cli.say(f"Wrote {rundir.save_figure(source.directory, 'latent_space', figure)}")


if __name__ == "__main__":
    cli.run(main)
