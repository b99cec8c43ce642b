"""Figure 1: eight test samples as clean, noisy and denoised rows → RUN/figures/reconstructions.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.core.metrics import image_psnr
from jaxae.data import dataset
from jaxae.data.dataset import CLASSES
from jaxae.figures import samples
from jaxae.inference import corrupt, load_run, reconstruct
from jaxae.runs import files


def main(source: options.Source, noise_factor: float = 0.25) -> None:
    """Draws eight test samples as clean, noisy and denoised rows → RUN/figures/reconstructions.png.

    Args:
        source: The run and its data.
        noise_factor: Standard deviation of the noise on the test images.
    """
    run = load_run(source.directory)
    test = source.dataset(run.config).test
    chosen = dataset.one_of_each_class(test.labels)[:8]
    clean = to_unit(test.images[chosen])
    noisy = corrupt(clean, std=noise_factor)
    denoised = reconstruct(run, noisy)
    figure = samples.reconstructions(
        clean,
        noisy,
        denoised,
        names=[CLASSES[label] for label in test.labels[chosen]],
        noisy_psnr=image_psnr(noisy, clean),
        denoised_psnr=image_psnr(denoised, clean),
        title=f"Denoising through two numbers: {run.config.data_title} test images, noise {noise_factor:g}",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'reconstructions', figure)}")


if __name__ == "__main__":
    command.run(main)
