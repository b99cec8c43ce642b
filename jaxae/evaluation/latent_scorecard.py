"""The latent scorecard of a run: what its two numbers an image keep of the data, beside PCA and what others have published."""

from typing import Any

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import Dataset, check_data
from jaxae.evaluation.baselines import apply_affine, fit_affine, moments
from jaxae.evaluation.embedding_quality import knn_predict, scorecard
from jaxae.evaluation.published_results import PROTOCOLS, ROWS
from jaxae.inference import Run, encode, reconstruct
from jaxae.runs.environment import versions

COLUMNS = {
    "mse": "MSE",
    "mae": "MAE",
    "knn_1": "1-NN",
    "knn_5": "5-NN",
    "knn_10": "10-NN",
    "trust_k5": "trust k=5",
    "l_trust": "ℓ-Trust",
    "l_cont": "ℓ-Cont",
    "l_mrre": "ℓ-MRRE",
    "kl_0.01": "KL0.01",
    "kl_0.1": "KL0.1",
    "kl_1": "KL1",
    "silhouette": "silhouette",
}


def score_latent(run: Run, dataset: Dataset) -> dict[str, Any]:
    """The contents of latent_scorecard.json: the model and PCA-2, on clean test images. Raises InputError."""
    check_data(run.config, dataset)
    train, test = to_unit(dataset.train.images), to_unit(dataset.test.images)
    pca = fit_affine(moments(train, train), rank=2)
    axes = np.linalg.svd(pca.matrix)[0][:, :2]  # the map is the projection on these two
    flat = {"train": train.reshape(len(train), -1) @ axes, "test": test.reshape(len(test), -1) @ axes}
    rows = {
        "jaxae": _row(dataset, encode(run, train), encode(run, test), reconstruct(run, test), test),
        "PCA-2, computed here": _row(dataset, flat["train"], flat["test"], apply_affine(pca, test), test),
    }
    return {
        "data": run.config.data_title,
        "data_sha256": dataset.digest,
        "split": f"test, {len(test)} images, clean",
        "checkpoint_epoch": run.epoch,
        "versions": versions(),
        "rows": rows,
    }


def _row(dataset: Dataset, train: np.ndarray, test: np.ndarray, output: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    error = output.astype(np.float64) - clean
    right = {
        f"knn_{k}": float(np.mean(knn_predict(train, dataset.train.labels, test, k=k) == dataset.test.labels))
        for k in (1, 5, 10)
    }
    means = {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}
    return means | right | scorecard(clean, test, dataset.test.labels)


def table(scores: dict[str, Any]) -> str:
    """latent_scorecard.json for a person, in Markdown; for Fashion-MNIST with the published rows and their protocols."""
    rows = {(name, ""): row for name, row in scores["rows"].items()}
    published = scores["data"] == "Fashion-MNIST"
    lines = [
        f"{scores['data']}, {scores['split']}, checkpoint of epoch {scores['checkpoint_epoch']}",
        "",
        "| | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    notes = {source: number for number, source in enumerate(PROTOCOLS)}
    for (name, source), row in (rows | ROWS if published else rows).items():
        mark = f" [{notes[source]}]" if source else " [0]" if published and name == "jaxae" else ""
        lines.append(
            f"| {name}{mark} | " + " | ".join(f"{row[key]:.{_digits(key)}f}" if key in row else "" for key in COLUMNS) + " |"
        )
    if published:
        lines += ["", *(f"[{number}] {source}: {PROTOCOLS[source]}" for source, number in notes.items())]
    return "\n".join(lines)


def _digits(column: str) -> int:
    return 5 if column in ("mse", "mae") else 4
