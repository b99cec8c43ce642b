"""Where noise pushes the latents, over the decoded plane, and what it does to the 5-NN class → RUN/figures/noise_drift.png."""

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.data.dataset import CLASSES
from jaxae.evaluation.denoising_curve import LEVELS
from jaxae.evaluation.latent_plane import noise_drift, regular_grid
from jaxae.figures.latent_plane import noise_drift as draw
from jaxae.inference import decode, load_run
from jaxae.runs import files

SHOWN, ARROWS, CELLS = (0.25, 0.6), 300, 16


def main(source: options.Source) -> None:
    """Draws where noise pushes the latents, and how many images change their class → RUN/figures/noise_drift.png."""
    run = load_run(source.directory)
    dataset = source.dataset(run.config)
    drift = noise_drift(run, dataset, levels=LEVELS)
    clean = drift["latents"][0.0]
    extent, plane = regular_grid(clean, cells=CELLS)
    figure = draw(
        clean[:ARROWS],
        {level: drift["latents"][level][:ARROWS] for level in SHOWN},
        dataset.test.labels[:ARROWS],
        names=CLASSES,
        grid=decode(run, plane).reshape(CELLS, CELLS, *dataset.test.images.shape[1:]),
        extent=extent,
        levels=LEVELS,
        **{share: drift[share] for share in ("changed", "accuracy")},
        title=f"Where noise pushes {run.config.data_title} test images in the latent plane ({ARROWS} of {len(clean):,} drawn)",
    )
    messages.say(f"Wrote {files.save_figure(source.directory, 'noise_drift', figure)}")


if __name__ == "__main__":
    command.run(main)
