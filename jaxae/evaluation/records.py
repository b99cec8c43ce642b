"""What evaluation finds, as typed records, and the JSON files of a run directory that hold them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from jaxae.data.dataset import Dataset, check_data
from jaxae.errors import InputError
from jaxae.inference import Run, check_run
from jaxae.runs import files
from jaxae.runs.environment import settings, variables, versions


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The data, checkpoint and software that a result was measured with."""

    dataset: str
    """The name of the data set, as the recipe has it."""
    data: str
    """Its title, for people."""
    data_sha256: str
    split: str
    """Which of its images were used, in words."""
    checkpoint_epoch: int
    versions: dict[str, str]
    settings: dict[str, str]
    """JAX's settings and environment variables that differ from their defaults."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Means over images with pixels in [0, 1]. PSNR is in dB."""

    mse: float
    mae: float
    psnr_of_mean_mse: float | None
    """None if it is infinite."""
    mean_of_image_psnr: float | None
    """None if it is infinite."""
    ssim_mean: float | None
    """None for images smaller than SSIM's window."""
    ssim_std: float | None


@dataclass(frozen=True, kw_only=True)
class ClassQuality:
    """The reconstructions of one class, from noisy images, and how well the class is found."""

    images: int
    quality: Quality
    recall: float
    """Share of the class whose five nearest training latents vote for it."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The contents of evaluation.json: the quality of a run on the test images."""

    about: Provenance
    noise_factor: float
    noise_key: str
    noisy: Quality
    """The model, with noisy images as its input."""
    clean: Quality
    """The model, with clean images as its input."""
    identity: Quality
    """The noisy images themselves."""
    mean_image: Quality
    """The mean training image as the answer to every image."""
    classes: dict[str, ClassQuality]
    """By name of the class; empty for data without labels."""

    def rows(self) -> dict[str, Quality]:
        """Return the four measured outputs by field name."""
        return {
            "noisy": self.noisy,
            "clean": self.clean,
            "identity": self.identity,
            "mean_image": self.mean_image,
        }


@dataclass(frozen=True, kw_only=True)
class LatentScores:
    """What a latent space keeps of the data. None where a score was not measured."""

    mse: float | None = None
    mae: float | None = None
    knn_1: float | None = None
    """Accuracy of the nearest neighbour's class."""
    knn_5: float | None = None
    knn_10: float | None = None
    trust_k5: float | None = None
    l_trust: float | None = None
    l_cont: float | None = None
    l_mrre: float | None = None
    kl_0_01: float | None = None
    kl_0_1: float | None = None
    kl_1: float | None = None
    silhouette: float | None = None
    evenness: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """The contents of latent_scorecard.json: the latent space of a run, and that of PCA."""

    about: Provenance
    neighbours: int
    """The largest number of neighbours that the means over k go to; 0 for a small set without."""
    ours: LatentScores
    pca: LatentScores

    def rows(self) -> dict[str, LatentScores]:
        """Return the two measured latent spaces by field name."""
        return {"ours": self.ours, "pca": self.pca}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The quality of one method: a row a noise level, a column a noise draw."""

    mse: tuple[tuple[float, ...], ...]
    psnr: tuple[tuple[float | None, ...], ...]
    """In dB; None if it is infinite."""
    ssim: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class UnseenNoise:
    """The model's error under another kind of noise, a value a noise draw."""

    matches_std: float
    """The standard deviation of the Gaussian noise that does the same damage."""
    strength: float
    input_mse: tuple[float, ...]
    output_mse: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class NoiseCurve:
    """The contents of noise_curve.json: the model and its rivals at every noise level."""

    about: Provenance
    images: int
    """How many of the first test images were used."""
    draws: int
    trained_noise: tuple[float, float]
    """The lowest and the highest noise level of training."""
    levels: tuple[float, ...]
    ours: Curve
    rivals: dict[str, Curve]
    break_even: float | None
    """The level above which the model's error is below that of the noisy images."""
    unseen: dict[str, tuple[UnseenNoise, ...]]
    """By kind of noise."""


@dataclass(frozen=True, kw_only=True)
class MeanStd:
    """The mean over members and the sample standard deviation."""

    mean: float
    std: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The results of a population: how far its members differ."""

    data: str
    split: str
    members: int
    rows: dict[str, dict[str, MeanStd]]
    """By row and metric of the members' records."""


Record = TypeVar("Record", bound=Evaluation | Scorecard | NoiseCurve | Spread)
COMMANDS: dict[type, str] = {
    Evaluation: "jaxae evaluate RUN",
    Scorecard: "jaxae score RUN",
    NoiseCurve: "jaxae plot noise-curve RUN",
    Spread: "jaxae evaluate RUN",
}
FILES: dict[str, type[Evaluation] | type[Scorecard] | type[NoiseCurve]] = {
    "evaluation.json": Evaluation,
    "latent_scorecard.json": Scorecard,
    "noise_curve.json": NoiseCurve,
}
"""The files of results in a run directory, and the record that each of them holds."""


def check_run_and_data(run: Run, dataset: Dataset) -> None:
    """Raise InputError unless these are a run, and data with test images for its evaluation."""
    check_run(run)
    check_data(run.config, dataset, trained_on=run.data_sha256)
    if not len(dataset.test.images):
        raise InputError(f"{dataset.title} has no test images: give data that have some")


def provenance(run: Run, dataset: Dataset, *, split: str) -> Provenance:
    """Return the provenance of a result on these images of the data. split: which, in words."""
    return Provenance(
        dataset=dataset.name,
        data=dataset.title,
        data_sha256=dataset.digest,
        split=split,
        checkpoint_epoch=run.epoch,
        versions=versions(),
        settings=settings() | variables(),
    )


def write_record(path: Path, record: Evaluation | Scorecard | NoiseCurve | Spread) -> None:
    """Write a record as indented JSON, whole or not at all. Raises InputError."""
    files.write_json(path, asdict(record))


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Return the record of this kind in a file, or None if there is no such file.

    Raises InputError if the file is damaged, or was written by a version with another form.
    """
    with files.file_errors(path):
        if not path.exists():
            return None
        contents = path.read_bytes()

    try:
        return TypeAdapter(kind).validate_json(contents, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(
            f"{path} is damaged, or of another version of jaxae ({where}: {first['msg']}): "
            f"make it again with {COMMANDS[kind]}, or delete it"
        ) from error
