"""What a report shows of a run: recomputed, or read from its files."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxae.data.dataset import Dataset, check_data
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import evaluate
from jaxae.evaluation.records import Evaluation, NoiseCurve, Scorecard, read_record
from jaxae.inference import Run
from jaxae.runs import checkpoint, files, metrics_log
from jaxae.runs.manifest import Manifest, read_manifest


class Facts(NamedTuple):
    """A run, and all that is known of it. What a file would say that is not there is empty."""

    place: Path
    run: Run
    dataset: Dataset
    manifest: Manifest
    """Of the checkpoint: digests, which loading the run has verified."""
    evaluation: Evaluation
    """Recomputed."""
    stored_evaluation: Evaluation | None
    scorecard: Scorecard | None
    curve: NoiseCurve | None
    environment: dict[str, Any]
    rows: list[dict[str, Any]]
    export: dict[str, Any]
    explorer: bool


def gather(place: Path, run: Run, dataset: Dataset) -> Facts:
    """The facts of a run; its metrics are recomputed. Raises InputError where a file is damaged, or the data are others."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    stored = read_record(place / "evaluation.json", Evaluation)
    return Facts(
        place=place,
        run=run,
        dataset=dataset,
        manifest=read_manifest(place / checkpoint.FOLDER / str(run.epoch)),
        evaluation=evaluate(run, dataset, noise_factor=stored.noise_factor if stored else 0.25),
        stored_evaluation=stored,
        scorecard=read_record(place / "latent_scorecard.json", Scorecard),
        curve=read_record(place / "noise_curve.json", NoiseCurve),
        environment=_read(place / "environment.json"),
        rows=metrics_log.read(place),
        export=_read(place / "export/manifest.json"),
        explorer=(place / "explorer.html").is_file(),
    )


def _read(path: Path) -> dict[str, Any]:
    """The contents of a file, or nothing where there is none."""
    found = files.read_json(path)
    if path.exists() and not found:
        raise InputError(f"{path} is damaged: make it anew, or delete it")
    return found
