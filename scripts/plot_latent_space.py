"""Figure 4: all test images as points of the latent plane → RUN/figures/latent_space.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.data.dataset import CLASSES
from jaxae.figures.latent_plane import latent_space
from jaxae.inference import encode, load_run
from jaxae.runs import files


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
    messages.say(f"Wrote {files.save_figure(source.directory, 'latent_space', figure)}")


if __name__ == "__main__":
    command.run(main)
