"""Figure 2: six test samples and the heat maps of their pixels' errors → RUN/figures/error_maps.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.data import dataset
from jaxae.data.dataset import CLASSES
from jaxae.figures import samples
from jaxae.inference import corrupt, load_run, reconstruct
from jaxae.runs import files


def main(source: options.Source, noise_factor: float = 0.25) -> None:
    """Draws six test samples with heat maps of their pixels' errors → RUN/figures/error_maps.png.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
    """
    run = load_run(source.directory)
    test = source.dataset(run.config).test
    chosen = dataset.one_of_each_class(test.labels)[-6:]
    clean = to_unit(test.images[chosen])
    figure = samples.error_maps(
        clean,
        reconstruct(run, corrupt(clean, std=noise_factor)),
        names=[CLASSES[label] for label in test.labels[chosen]],
        title=f"Where the pixels go wrong: {run.config.data_title} test images, noise {noise_factor:g}",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'error_maps', figure)}")


if __name__ == "__main__":
    command.run(main)
