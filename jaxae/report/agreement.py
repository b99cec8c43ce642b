"""Whether a run's numbers and files agree with each other. Two that disagree are an error: a report of them would be wrong."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxae.core.images import to_unit
from jaxae.digests import file_digest
from jaxae.errors import InputError
from jaxae.evaluation.metrics import SSIM_WINDOW, image_psnr, ssim
from jaxae.evaluation.records import Evaluation
from jaxae.inference import corrupt, reconstruct
from jaxae.report.facts import Facts
from jaxae.report.promises import Check
from jaxae.runs.environment import ORIGIN
from jaxae.runs.manifest import tree_digest

CLOSE = 1e-3
"""How far two numbers may be apart that two machines have computed, as a share."""
FEW = 20
"""How many test images the definitions of PSNR and SSIM are compared on."""


def check_agreement(facts: Facts) -> list[Check]:
    """What was compared, in the order of the report. Raises InputError where two files, or a file and the model, disagree."""
    records = {
        "evaluation.json": facts.stored_evaluation,
        "latent_scorecard.json": facts.scorecard,
        "noise_curve.json": facts.curve,
    }
    results = {name: asdict(record.about) for name, record in records.items() if record}
    results |= {
        "environment.json": facts.environment,
        "export/manifest.json": facts.export,
    }
    try:
        for name, result in results.items():
            _check_whose(facts.place / name, result, facts)
        return [
            *_definitions(facts),
            _checkpoint(facts),
            *_log(facts),
            *_numbers(facts),
            *_products(facts),
        ]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        names = ", ".join(name for name in results if results[name])
        raise InputError(
            f"A file of {facts.place} is damaged ({error!r:.80}): make anew or delete {names}"
        ) from error


def _disagree(first: object, says: object, second: str, other: object) -> InputError:
    return InputError(
        f"{first} says {says}, and {second} {other}: make the one that is out of date anew, or delete it"
    )


def _check_whose(path: Path, result: dict[str, Any], facts: Facts) -> None:
    """The file is of the run's epoch, and of its data."""
    here = {"checkpoint_epoch": facts.run.epoch, "data_sha256": facts.dataset.digest}
    for name in sorted(here.keys() & result.keys()):
        if result[name] != here[name]:
            other = (
                "the best checkpoint's epoch is" if name == "checkpoint_epoch" else "the data have"
            )
            raise _disagree(path, f"{name} {result[name]}", other, here[name])


def _definitions(facts: Facts) -> list[Check]:
    """PSNR and SSIM of reconstructions beside scikit-image's, one image at a time."""
    clean = to_unit(facts.dataset.test.images[:FEW])
    output = reconstruct(facts.run, corrupt(clean, std=0.25))
    theirs = [
        peak_signal_noise_ratio(x, y, data_range=1.0)
        for x, y in zip(clean.astype(float), output.astype(float), strict=True)
    ]
    off = float(np.abs(image_psnr(output, clean) - theirs).max())
    checks = [
        Check(
            "PSNR is scikit-image's",
            f"{len(clean)} images differ by {off:.1g} dB at most",
            off < 1e-6,
        )
    ]
    if min(facts.dataset.image_shape[:2]) >= SSIM_WINDOW:
        wang: Any = {
            "gaussian_weights": True,
            "sigma": 1.5,
            "use_sample_covariance": False,
            "data_range": 1.0,
        }
        pairs = zip(output.astype(float), clean.astype(float), strict=True)
        theirs = [structural_similarity(x, y, channel_axis=-1, **wang) for x, y in pairs]
        off = float(np.abs(ssim(output, clean) - theirs).max())
        checks.append(
            Check(
                "SSIM is Wang's, through scikit-image",
                f"{len(clean)} images differ by {off:.1g} at most",
                off < 1e-6,
            )
        )
    return checks


def _checkpoint(facts: Facts) -> Check:
    """Loading has compared the files with their digests; this compares what the report computes with."""
    holds = tree_digest(facts.run.variables) == facts.manifest.sha256["variables"]
    found = f"SHA-256 of its arrays {facts.manifest.sha256['variables']:.12}…"
    return Check("The checkpoint is what was saved", found, holds)


def _log(facts: Facts) -> list[Check]:
    """metrics.jsonl has the checkpoint's epoch as its best, and environment.json the checkpoint's data."""
    mine, theirs = facts.environment.get("data_sha256"), facts.manifest.owner.data_sha256
    if mine and theirs and mine != theirs:
        raise _disagree(
            facts.place / "environment.json", f"data_sha256 {mine}", "the checkpoint", theirs
        )
    path, losses = (
        facts.place / "metrics.jsonl",
        {row["epoch"]: row["validation_loss"] for row in facts.rows},
    )
    best = [row["epoch"] for row in facts.rows if row["best"]][-1:]
    if not best or facts.run.epoch != facts.manifest.best_epoch:  # another epoch was asked for
        return []
    if best != [facts.run.epoch]:
        raise _disagree(
            path, f"the best epoch is {best[0]}", "the best checkpoint's epoch is", facts.run.epoch
        )
    lowest = min(losses, key=lambda epoch: losses[epoch])
    if ORIGIN not in facts.environment and losses[lowest] < losses[best[0]]:
        raise _disagree(
            path,
            f"the best epoch is {best[0]}",
            "the lowest validation loss in it is that of epoch",
            lowest,
        )
    found = (
        f"epoch {best[0]} of {len(losses)}, by metrics.jsonl: validation loss {losses[best[0]]:.5f}"
    )
    return [Check("The checkpoint is that of the lowest validation loss", found, True)]


def _numbers(facts: Facts) -> list[Check]:
    """What the files of results say of the model's quality is what the model gives now."""
    compared: dict[str, int] = {}

    def compare(name: str, what: str, found: Any, now: Any) -> None:
        close = (
            isinstance(found, float)
            and isinstance(now, float)
            and np.isclose(found, now, rtol=CLOSE, atol=1e-9)
        )
        if found != now and not close:
            raise _disagree(
                facts.place / name, f"{what} is {found}", "the checkpoint and the data give", now
            )
        compared[name] = compared.get(name, 0) + 1

    if facts.stored_evaluation:
        found, now = _values(facts.stored_evaluation), _values(facts.evaluation)
        for what in now:
            compare("evaluation.json", what, found.get(what), now[what])
    if facts.scorecard:
        name = "the MSE of clean images"
        compare("latent_scorecard.json", name, facts.scorecard.ours.mse, facts.evaluation.clean.mse)
    if facts.curve:
        clean = to_unit(facts.dataset.test.images[: facts.curve.images])
        for level, draws in zip(facts.curve.levels, facts.curve.ours.mse, strict=True):
            now_level = np.square(reconstruct(facts.run, corrupt(clean, std=level)) - clean).mean(
                dtype=np.float64
            )
            compare("noise_curve.json", f"the MSE at noise {level}", draws[0], float(now_level))
    counts = ", ".join(f"{count} in {name}" for name, count in compared.items())
    return (
        [
            Check(
                "Files of results are what the model gives",
                f"recomputed within 0.1 %: {counts}",
                True,
            )
        ]
        if compared
        else []
    )


def _values(evaluation: Evaluation) -> dict[str, Any]:
    """Return every number of an evaluation by its name."""
    found = {}
    for row, quality in evaluation.rows().items():
        for metric, value in asdict(quality).items():
            found[f"{metric} of {row}"] = value
    for name, each in evaluation.classes.items():
        values = {"images": each.images, "recall": each.recall, **asdict(each.quality)}
        for metric, value in values.items():
            found[f"{metric} of {name}"] = value
    return found


def _products(facts: Facts) -> list[Check]:
    """The explorer and the exported files are of this epoch, and as they were written."""
    if facts.explorer:
        path = facts.place / "explorer.html"
        found = re.search(r"Weights: epoch (\d+)\.", path.read_text("utf-8"))
        if not found or int(found[1]) != facts.run.epoch:
            says = f"epoch {found[1]}" if found else "no epoch"
            raise _disagree(path, says, "the best checkpoint's epoch is", facts.run.epoch)
    for name, described in facts.export.get("files", {}).items():
        path = facts.place / "export" / name
        if not path.is_file() or file_digest(path) != described["sha256"]:
            raise InputError(
                f"{path} is missing, or not what its manifest.json says: jaxae export writes it anew"
            )
    count = len(facts.export.get("files", {}))
    return (
        [
            Check(
                "Exported files are what was compared with jaxae", f"SHA-256 of {count} files", True
            )
        ]
        if count
        else []
    )
