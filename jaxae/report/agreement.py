"""Whether a run's numbers and files agree with each other.

Two that disagree are an error: a report of them would be wrong.
"""

import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import sample
from jaxae.digests import file_digest
from jaxae.errors import InputError
from jaxae.evaluation.records import Evaluation, NoiseCurve
from jaxae.inference import corrupt, reconstruct
from jaxae.report.facts import Facts

CLOSE = 1e-3
"""How far two numbers may be apart that two machines have computed, as a share."""


class Check(NamedTuple):
    """Something that holds, and what was compared."""

    claim: str
    found: str


def check_agreement(facts: Facts) -> list[Check]:
    """Return what was compared, in the order of the report.

    Raises InputError if two files, or a file and the model, disagree.
    """
    _check_sources(facts)
    return [
        _checkpoint(facts),
        *_log(facts),
        *_numbers(facts),
        *_products(facts),
    ]


def _disagree(first: object, says: object, second: object, other: object) -> InputError:
    return InputError(
        f"{first} says {says}, and {second} {other}: make the one that is out of date again, "
        "or delete it"
    )


def _check_sources(facts: Facts) -> None:
    """Check that each file is of the run's epoch and of its data."""
    records = {
        "evaluation.json": facts.stored_evaluation,
        "latent_scorecard.json": facts.scorecard,
        "noise_curve.json": facts.curve,
        "export/manifest.json": facts.export,
    }
    for name, record in records.items():
        if record:
            path = facts.place / name
            _check_epoch(path, record.about.checkpoint_epoch, facts)
            _check_data(path, record.about.data_sha256, facts)

    environment = facts.environment.data_sha256
    if environment:
        _check_data(facts.place / "environment.json", environment, facts)

    if facts.explorer_epoch is not None:
        _check_epoch(facts.place / "explorer.html", facts.explorer_epoch, facts)


def _check_epoch(path: Path, epoch: int, facts: Facts) -> None:
    if epoch != facts.run.epoch:
        other = "the checkpoint's epoch is"
        raise _disagree(path, f"checkpoint_epoch {epoch}", other, facts.run.epoch)


def _check_data(path: Path, sha256: str, facts: Facts) -> None:
    if sha256 != facts.dataset.digest:
        raise _disagree(path, f"data_sha256 {sha256}", "the data have", facts.dataset.digest)


def _checkpoint(facts: Facts) -> Check:
    """Say what loading the run has verified."""
    sha256 = facts.manifest.sha256["variables"]
    return Check("The checkpoint is what was saved", f"SHA-256 of its arrays {sha256:.12}…")


def _log(facts: Facts) -> list[Check]:
    """Check that metrics.jsonl has the checkpoint's epoch as its best."""
    best = [row["epoch"] for row in facts.epochs if row["best"]]
    other_epoch_chosen = facts.run.epoch != facts.manifest.best_epoch
    if not best or other_epoch_chosen:
        return []

    path = facts.place / "metrics.jsonl"
    says = f"the best epoch is {best[-1]}"
    if best[-1] != facts.run.epoch:
        raise _disagree(path, says, "the checkpoint's epoch is", facts.run.epoch)

    losses = {row["epoch"]: row["validation_loss"] for row in facts.epochs}
    lowest = min(losses, key=lambda epoch: losses[epoch])
    went_on = facts.environment.resumed_from  # its lowest loss may be that of the other run
    if not went_on and losses[lowest] < losses[best[-1]]:
        other = "the lowest validation loss in it is that of epoch"
        raise _disagree(path, says, other, lowest)

    found = (
        f"epoch {best[-1]} of {len(losses)}, by metrics.jsonl: "
        f"validation loss {losses[best[-1]]:.5f}"
    )
    return [Check("The checkpoint is that of the lowest validation loss", found)]


def _numbers(facts: Facts) -> list[Check]:
    """Check that the files of results have the numbers that the model gives now."""
    counts: Counter[str] = Counter()

    def compare(name: str, what: str, found: float | None, now: float | None) -> None:
        if not _close(found, now):
            other = "the checkpoint and the data give"
            raise _disagree(facts.place / name, f"{what} is {found}", other, now)
        counts[name] += 1

    if facts.stored_evaluation:
        stored = _metrics(facts.stored_evaluation)
        now = _metrics(facts.evaluation)
        for metric in stored | now:
            compare("evaluation.json", metric, stored.get(metric), now.get(metric))

    if facts.scorecard:
        clean = facts.evaluation.clean.mse
        compare("latent_scorecard.json", "the MSE of clean images", facts.scorecard.ours.mse, clean)

    if facts.curve:
        for i, level in enumerate(facts.curve.levels):
            first_draw = facts.curve.ours.mse[i][0]
            now_there = _mse_at(facts, facts.curve, level)
            compare("noise_curve.json", f"the MSE at noise {level}", first_draw, now_there)

    if not counts:
        return []
    listed = ", ".join(f"{count} in {name}" for name, count in counts.items())
    found = f"recomputed within 0.1 %: {listed}"
    return [Check("Files of results are what the model gives", found)]


def _close(found: float | None, now: float | None) -> bool:
    if found is None or now is None:
        return found is now
    return math.isclose(found, now, rel_tol=CLOSE, abs_tol=1e-9)


def _metrics(evaluation: Evaluation) -> dict[str, float | None]:
    """Return all numbers of an evaluation by their path in its file, such as noisy.mse."""
    trees: dict[str, Any] = {name: asdict(row) for name, row in evaluation.rows().items()}
    trees |= {f"classes.{name}": asdict(each) for name, each in evaluation.classes.items()}

    metrics: dict[str, float | None] = {}
    for path, tree in trees.items():
        metrics |= _flat(path, tree)
    return metrics


def _flat(path: str, tree: Any) -> dict[str, float | None]:
    if not isinstance(tree, dict):
        return {path: tree}

    found: dict[str, float | None] = {}
    for name, branch in tree.items():
        found |= _flat(f"{path}.{name}", branch)
    return found


def _mse_at(facts: Facts, curve: NoiseCurve, level: float) -> float:
    """Return the model's MSE at a noise level, on the images and with the first draw of a curve."""
    images = facts.dataset.test.images
    chosen = sample(len(images), curve.images)
    clean = to_unit(images[chosen])
    error = reconstruct(facts.run, corrupt(clean, std=level, indices=chosen)) - clean
    return float(np.square(error).mean(dtype=np.float64))


def _products(facts: Facts) -> list[Check]:
    """Check that the exported files are as they were written."""
    if not facts.export:
        return []

    for name, file in facts.export.files.items():
        path = facts.place / "export" / name
        if not path.is_file() or file_digest(path) != file.sha256:
            raise InputError(
                f"{path} is missing, or not what its manifest.json says: "
                "make it again with jaxae export RUN"
            )

    found = f"SHA-256 of {len(facts.export.files)} files"
    return [Check("Exported files are what was compared with jaxae", found)]
