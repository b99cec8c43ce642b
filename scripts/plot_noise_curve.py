"""Quality against noise for a run and its rivals → RUN/noise_curve.json and RUN/figures/noise_curve.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.evaluation.denoising_curve import noise_curve, unseen_examples
from jaxae.figures.denoising_curve import noise_curve as draw
from jaxae.inference import load_run
from jaxae.runs import files


def main(source: options.Source, images: int = 1000, draws: int = 5) -> None:
    """Measures MSE, PSNR and SSIM at each noise level, and under noise never trained on, and draws the curves.

    Writes RUN/noise_curve.json and RUN/figures/noise_curve.png. Some minutes.

    Args:
        source: The run and its data.
        images: How many of the first test images to take.
        draws: Noise draws; curves are their means, bands go from the least to the greatest.
    """
    run = load_run(source.directory)
    dataset = source.dataset(run.config)
    curve = noise_curve(run, dataset, images=images, draws=draws, report=messages.say)
    files.write_json(source.directory / "noise_curve.json", curve)
    messages.say(f"Wrote {source.directory / 'noise_curve.json'}")
    figure = draw(
        curve,
        examples=unseen_examples(run, dataset),
        title=f"Denoising at every noise level: {run.config.data_title}, {curve['split']}, {draws} noise draws",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'noise_curve', figure)}")


if __name__ == "__main__":
    command.run(main)
