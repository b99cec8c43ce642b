"""How far the members of a population agree, on the latent map and pixel by pixel → RUN/figures/seed_agreement.png."""

import numpy as np

import jaxae.cli.startup  # noqa: F401 - before the slow imports
from jaxae.cli import command, messages, options
from jaxae.core.images import to_unit
from jaxae.data import dataset
from jaxae.data.dataset import CLASSES
from jaxae.errors import InputError
from jaxae.evaluation.seeds import align, shared_neighbours
from jaxae.figures.seeds import seed_agreement
from jaxae.inference import corrupt, encode, load_run, reconstruct
from jaxae.runs import files
from jaxae.train.population import labels


def main(source: options.Source) -> None:
    """Draws all members' latent maps, aligned, the neighbours they share, and where their reconstructions differ."""
    if len(source.directories) < 2:
        raise InputError(f"{source.run} is one run: give a population, as train.py --seeds 8 makes one")
    runs = [load_run(directory) for directory in source.directories]
    config, test = runs[0].config, source.dataset(runs[0].config).test
    clean = to_unit(test.images)
    chosen = dataset.one_of_each_class(test.labels)[:6]
    latents = [encode(run, clean) for run in runs]
    denoised = np.stack([reconstruct(run, corrupt(clean[chosen], std=config.noise_factor)) for run in runs])
    figure = seed_agreement(
        [align(latents[0], z) for z in latents],
        test.labels,
        shared_neighbours(latents),
        members=labels([run.config for run in runs]),
        names=CLASSES,
        clean=clean[chosen],
        denoised=denoised,
        title=f"{len(runs)} members on the {len(clean):,} clean {config.data_title} test images, aligned on the first",
    )
    messages.say(f"Wrote {files.save_figure(source.run, 'seed_agreement', figure)}")


if __name__ == "__main__":
    command.run(main)
