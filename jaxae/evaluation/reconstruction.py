"""How well a run reconstructs the test images: means over all of them, and by class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxae.core.images import to_unit
from jaxae.core.objective import mae, mse
from jaxae.data.dataset import REFERENCES, Dataset
from jaxae.data.large import in_blocks
from jaxae.errors import InputError
from jaxae.evaluation.embedding_quality import knn_predict
from jaxae.evaluation.metrics import SSIM_WINDOW, psnr, ssim
from jaxae.evaluation.records import (
    ClassQuality,
    Evaluation,
    Provenance,
    Quality,
    check_run_and_data,
    provenance,
)
from jaxae.evaluation.tables import decibels, markdown
from jaxae.inference import Run, corrupt, decode, encode, reconstruct
from jaxae.runs.environment import DRAWS, settings
from jaxae.switches import usual_switches

NEIGHBOURS = 5
COLUMNS = ("MSE", "MAE", "PSNR of the mean MSE", "mean of image PSNR", "SSIM, mean ± std")
LABELS = {
    "noisy": "jaxae, noisy input",
    "clean": "jaxae, clean input",
    "identity": "do nothing, noisy input",
    "mean_image": "mean training image",
}
"""The names of an evaluation's rows in a table."""
NOISE_KEY = "threefry2x32, seed 0, stream EVALUATION, draw 0, a key for each image"
"""The keys of the evaluation's noise, if JAX's settings are its defaults."""


class ImageErrors(NamedTuple):
    """The errors of each reconstruction: f64[N] each. SSIM is NaN for images below its window."""

    mse: np.ndarray
    mae: np.ndarray
    ssim: np.ndarray

    def of(self, chosen: np.ndarray) -> "ImageErrors":
        """Return the errors of some of the images. chosen: bool[N] or indices."""
        return ImageErrors(self.mse[chosen], self.mae[chosen], self.ssim[chosen])

    @classmethod
    def joined(cls, blocks: Sequence["ImageErrors"]) -> "ImageErrors":
        """Return the errors of all blocks' images, in their order."""
        return cls(*(np.concatenate(errors) for errors in zip(*blocks, strict=True)))


@usual_switches()
def evaluate(run: Run, dataset: Dataset, *, noise_factor: float = 0.25) -> Evaluation:
    """Return the quality of the model on all test images, next to two answers that learn nothing.

    noise_factor: standard deviation of the noise on the input. All values are for pixels in [0, 1].
    Raises InputError.

    >>> result = jaxae.evaluate(small, dataset)
    >>> result.noise_factor, 0 < result.noisy.mse < 1, len(result.classes)
    (0.25, True, 10)
    """
    check_run_and_data(run, dataset)

    mean_image = _mean_image(dataset.train.images)

    blocks: list[dict[str, ImageErrors]] = []
    done = 0
    for images in in_blocks(dataset.test.images):
        indices = done + np.arange(len(images))
        clean = to_unit(images)
        noisy = corrupt(clean, std=noise_factor, indices=indices)
        outputs = {
            "noisy": reconstruct(run, noisy),
            "clean": reconstruct(run, clean),
            "identity": noisy,
            "mean_image": np.broadcast_to(mean_image, clean.shape),
        }
        blocks.append({name: per_image(each, clean, first=done) for name, each in outputs.items()})
        done += len(images)

    errors = {name: ImageErrors.joined([block[name] for block in blocks]) for name in blocks[0]}
    return Evaluation(
        about=provenance(run, dataset, split=f"test, {done} images"),
        noise_factor=noise_factor,
        noise_key=noise_key(),
        **{name: summarise(each) for name, each in errors.items()},
        classes=by_class(run, dataset, errors["noisy"]),
    )


def _mean_image(images: np.ndarray) -> np.ndarray:
    """Return the exact mean of u8[N, H, W, C], f32[H, W, C] in [0, 1]."""
    total = sum(block.sum(axis=0, dtype=np.int64) for block in in_blocks(images))
    return (total / len(images) / 255).astype(np.float32)


def clean_errors(run: Run, images: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """Return the mean squared errors of images u8[N, ...] drawn from their latents, f32[N]."""
    errors: list[np.ndarray] = []
    done = 0
    for block in in_blocks(images):
        drawn = decode(run, latents[done : done + len(block)])
        errors.append(np.asarray(mse(drawn, to_unit(block))))
        done += len(block)
    return np.concatenate(errors)


def noise_key() -> str:
    """Return a description of the noise's keys, and the JAX settings that change their draws."""
    changed = settings(of=DRAWS)
    others = [f"NOT the usual noise: {name} is {value}" for name, value in changed.items()]

    return ", ".join([NOISE_KEY, *others])


def per_image(output: np.ndarray, target: np.ndarray, *, first: int = 0) -> ImageErrors:
    """Return the errors of each image of two f32[N, H, W, C] in [0, 1].

    first: the number of the first image. Raises InputError if the output is not finite.
    """
    squared = np.asarray(mse(output, target), np.float64)
    broken = np.flatnonzero(~np.isfinite(squared))
    if len(broken):
        raise InputError(
            f"The output for image {first + broken[0]} is not finite: the model is broken"
        )

    if min(output.shape[1:3]) >= SSIM_WINDOW:
        similarity = ssim(output, target)
    else:
        similarity = np.full(len(output), np.nan)

    return ImageErrors(squared, np.asarray(mae(output, target), np.float64), similarity)


def summarise(errors: ImageErrors) -> Quality:
    """Return the means over the images."""
    mean = errors.mse.mean()

    return Quality(
        mse=float(mean),
        mae=float(errors.mae.mean()),
        psnr_of_mean_mse=_finite(psnr(mean)),
        mean_of_image_psnr=_finite(psnr(errors.mse).mean()),
        ssim_mean=_finite(errors.ssim.mean()),
        ssim_std=_finite(errors.ssim.std()),
    )


def _finite(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None


def by_class(run: Run, dataset: Dataset, errors: ImageErrors) -> dict[str, ClassQuality]:
    """Return the quality of each class's test images; nothing for data without labels.

    errors: those of all test images.
    """
    train = dataset.train.at_most(REFERENCES)
    test = dataset.test
    if train.labels is None or test.labels is None:
        return {}

    latents = encode(run, test.images)
    found = knn_predict(encode(run, train.images), train.labels, latents, k=NEIGHBOURS)

    classes = {}
    for label in np.unique(test.labels):
        mine = test.labels == label
        classes[dataset.class_names[label]] = ClassQuality(
            images=int(mine.sum()),
            quality=summarise(errors.of(mine)),
            recall=float(np.mean(found[mine] == label)),
        )

    return classes


def table(evaluation: Evaluation) -> str:
    """Return an evaluation as Markdown: what was measured, all images, and each class."""
    noise = f"noise {evaluation.noise_factor} ({evaluation.noise_key})"
    rows = [[LABELS[name], *cells(quality)] for name, quality in evaluation.rows().items()]
    parts = [introduction(evaluation.about, noise), markdown(["", *COLUMNS], rows)]

    if evaluation.classes:
        columns = ["noisy input, by class", *COLUMNS, f"{NEIGHBOURS}-NN recall"]
        classes = [
            [name, *cells(each.quality), f"{100 * each.recall:.1f} %"]
            for name, each in evaluation.classes.items()
        ]
        parts.append(markdown(columns, classes))

    return "\n\n".join(parts)


def introduction(about: Provenance, *more: str) -> str:
    """Return two lines for people: what was measured, and with which versions."""
    checkpoint = f"checkpoint of epoch {about.checkpoint_epoch}"
    first = ", ".join([about.data, about.split, *more, checkpoint])
    machine = about.versions | about.settings
    second = ", ".join(f"{name} {value}" for name, value in machine.items())

    return f"{first}\n{second}"


def cells(quality: Quality) -> list[str]:
    """Return the values of a table's COLUMNS."""
    similarity = ""
    if quality.ssim_mean is not None:
        similarity = f"{quality.ssim_mean:.3f} ± {quality.ssim_std:.3f}"

    return [
        f"{quality.mse:.5f}",
        f"{quality.mae:.5f}",
        decibels(quality.psnr_of_mean_mse),
        decibels(quality.mean_of_image_psnr),
        similarity,
    ]
