"""Figure 3: the same images at four noise levels → RUN/figures/noise_robustness.png."""

import numpy as np

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.core.metrics import image_psnr
from jaxae.data import dataset
from jaxae.data.dataset import CLASSES
from jaxae.figures import samples
from jaxae.inference import corrupt, load_run, reconstruct
from jaxae.runs import files

LEVELS = (0.1, 0.25, 0.4, 0.6)


def main(source: options.Source) -> None:
    """Draws images at noise 0.1, 0.25, 0.4 and 0.6 as original, noisy and denoised → RUN/figures/noise_robustness.png."""
    run = load_run(source.directory)
    test = source.dataset(run.config).test
    chosen = dataset.one_of_each_class(test.labels)[:2]
    clean = to_unit(test.images[chosen])
    noisy = np.stack([corrupt(clean, std=level) for level in LEVELS])
    denoised = np.stack([reconstruct(run, images) for images in noisy])
    trained = " to ".join(f"{level:g}" for level in run.config.noise_range or [run.config.noise_factor])
    figure = samples.noise_robustness(
        clean,
        noisy.swapaxes(0, 1),
        denoised.swapaxes(0, 1),
        names=[CLASSES[label] for label in test.labels[chosen]],
        levels=LEVELS,
        noisy_psnr=image_psnr(noisy, clean).T,
        denoised_psnr=image_psnr(denoised, clean).T,
        title=f"Noise of four strengths, trained on {trained}: {run.config.data_title} test images",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'noise_robustness', figure)}")


if __name__ == "__main__":
    command.run(main)
