"""What a report shows of a run: recomputed, or read from its files and validated once."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import evaluate
from jaxae.evaluation.records import (
    Evaluation,
    NoiseCurve,
    Scorecard,
    check_run_and_data,
    read_record,
)
from jaxae.inference import Run
from jaxae.runs import checkpoint, files, metrics_log
from jaxae.runs.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class TorchFile:
    """The file of PyTorch's weights that a run was imported from."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Origin:
    """The run and the epoch that a run went on from."""

    run: str
    epoch: int


@dataclass(frozen=True)
class Environment:
    """What a report reads of environment.json. Older files have less."""

    data_sha256: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    platform: str | None = None
    cpu: str | None = None
    devices: list[str] = field(default_factory=list)
    imported_from: TorchFile | None = None
    resumed_from: Origin | None = None


@dataclass(frozen=True)
class ExportedFile:
    """What a report reads of a file in export/manifest.json."""

    sha256: str


@dataclass(frozen=True)
class Source:
    """The checkpoint and the data that an export was made with."""

    checkpoint_epoch: int
    data_sha256: str


@dataclass(frozen=True)
class Export:
    """What a report reads of export/manifest.json."""

    about: Source
    files: dict[str, ExportedFile]


class Facts(NamedTuple):
    """A run, and all that is known of it. A result is None if its file is not there."""

    place: Path
    run: Run
    dataset: Dataset
    manifest: Manifest
    """The checkpoint's manifest; loading the run has verified its digests."""
    evaluation: Evaluation
    """Recomputed."""
    stored_evaluation: Evaluation | None
    scorecard: Scorecard | None
    curve: NoiseCurve | None
    environment: Environment
    epochs: list[dict[str, Any]]
    """The whole rows of metrics.jsonl, for its plot."""
    export: Export | None
    explorer_epoch: int | None
    """The epoch of the weights in explorer.html."""


def gather(place: Path, run: Run, dataset: Dataset) -> Facts:
    """Return the facts of a run; its metrics are recomputed.

    Raises InputError for a damaged file, and for other data than the run's.
    """
    check_run_and_data(run, dataset)

    stored = read_record(place / "evaluation.json", Evaluation)
    scorecard = read_record(place / "latent_scorecard.json", Scorecard)
    curve = _read_curve(place / "noise_curve.json")
    environment = _read(place / "environment.json", Environment) or Environment()
    export = _read(place / "export" / "manifest.json", Export)
    explorer_epoch = _explorer_epoch(place / "explorer.html")

    noise_factor = stored.noise_factor if stored else 0.25
    return Facts(
        place=place,
        run=run,
        dataset=dataset,
        manifest=read_manifest(place / checkpoint.FOLDER / str(run.epoch)),
        evaluation=evaluate(run, dataset, noise_factor=noise_factor),
        stored_evaluation=stored,
        scorecard=scorecard,
        curve=curve,
        environment=environment,
        epochs=[row for row in metrics_log.read(place) if _is_whole(row)],
        export=export,
        explorer_epoch=explorer_epoch,
    )


def _read_curve(path: Path) -> NoiseCurve | None:
    curve = read_record(path, NoiseCurve)
    if curve is None:
        return None

    shape = [curve.draws] * len(curve.levels)
    whole = len(curve.levels) > 0 and curve.draws > 0
    for method in (curve.ours, *curve.rivals.values()):
        for values in (method.mse, method.psnr, method.ssim):
            whole = whole and [len(row) for row in values] == shape

    if not whole:
        raise InputError(
            f"{path} is damaged (its numbers are not a row a level and a column a draw): "
            "make it again with jaxae plot noise-curve RUN, or delete it"
        )
    return curve


Contents = TypeVar("Contents", Environment, Export)


def _read(path: Path, kind: type[Contents]) -> Contents | None:
    """Return what a JSON file holds, or None if there is no such file."""
    with files.file_errors(path):
        if not path.exists():
            return None
        text = path.read_bytes()

    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path} is damaged ({where}: {first['msg']}): make it again, or delete it"
        ) from error


def _is_whole(row: dict[str, Any]) -> bool:
    names = {"data", "best", *metrics_log.SCALARS}
    return row.keys() >= names and isinstance(row["best"], bool)


class _Explorer(HTMLParser):
    """Finds the epoch that explorer.html names in its head."""

    epoch: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "meta" and attributes.get("name") == "checkpoint-epoch":
            content = attributes.get("content") or ""
            self.epoch = int(content) if content.isdecimal() else None


def _explorer_epoch(path: Path) -> int | None:
    """Return the epoch of the weights in the page, or None if there is no page."""
    with files.file_errors(path):
        if not path.exists():
            return None
        page = path.read_text("utf-8", errors="replace")

    parser = _Explorer()
    parser.feed(page)
    if parser.epoch is None:
        raise InputError(
            f"{path} does not name its checkpoint's epoch: "
            "make it again with jaxae explore RUN, or delete it"
        )
    return parser.epoch
