"""The latent scorecard of a run: what its two numbers an image keep of the data, beside PCA and what others have published."""

from typing import Any

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import REFERENCES, Dataset, check_data
from jaxae.evaluation.baselines import apply_affine, fit_pca
from jaxae.evaluation.embedding_quality import knn_predict, neighbourhoods, scorecard
from jaxae.evaluation.published_results import PROTOCOLS, PUBLISHED
from jaxae.evaluation.reconstruction import header, introduction
from jaxae.inference import Run, encode, reconstruct
from jaxae.tables import markdown

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

TESTED = 10_000
"""Most test images: their distances to each other are taken."""


PCA = "PCA-2, computed here"


def score_latent(run: Run, dataset: Dataset, *, pca: dict[str, float] | None = None) -> dict[str, Any]:
    """The contents of latent_scorecard.json: the model and PCA-2, on up to TESTED clean test images. Raises InputError.

    Without labels the neighbours' classes and the silhouette are left out. pca: its row, where the data were scored before.
    """
    check_data(run.config, dataset, trained_on=run.data_sha256)
    whole = len(dataset.test.images)
    dataset = dataset._replace(train=dataset.train.at_most(REFERENCES), test=dataset.test.at_most(TESTED))
    train, test = to_unit(dataset.train.images), to_unit(dataset.test.images)
    rows = {
        "jaxae": _row(dataset, encode(run, train), encode(run, test), reconstruct(run, test), test),
        PCA: pca or _pca_row(dataset, train, test),
    }
    most = int(neighbourhoods(len(test))[-1])
    tested = f"{whole}" if whole == len(test) else f"{len(test)} of {whole}"
    return {**header(run, dataset, f"test, {tested} images, clean"), "neighbours": most, "rows": rows}


def _pca_row(dataset: Dataset, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    pca, axes = fit_pca(train)
    on_train, on_test = (images.reshape(len(images), -1) @ axes for images in (train, test))
    return _row(dataset, on_train, on_test, apply_affine(pca, test), test)


def _row(dataset: Dataset, train: np.ndarray, test: np.ndarray, output: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    error = output.astype(np.float64) - clean
    values = {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}
    if dataset.train.labels is not None:
        for k in (1, 5, 10):
            found = knn_predict(train, dataset.train.labels, test, k=k)
            values[f"knn_{k}"] = float(np.mean(found == dataset.test.labels))
    return values | scorecard(clean, test, dataset.test.labels)


def table(scores: dict[str, Any]) -> str:
    """latent_scorecard.json for a person, in Markdown, with the published rows of the same data and their protocols."""
    published = PUBLISHED.get(scores["dataset"], {})
    notes = list(dict.fromkeys(["jaxae", *(source for _, source in published)])) if published else []
    rows = {(name, name): row for name, row in scores["rows"].items()} | published
    lines = [
        introduction(scores, f"means over k = 10, 20 … {scores.get('neighbours', 200)} neighbours"),
        "",
        markdown(
            ["", *COLUMNS.values()],
            [
                [name + (f" [{notes.index(source)}]" if source in notes else ""), *(cell(row, key) for key in COLUMNS)]
                for (name, source), row in rows.items()
            ],
        ),
        *(["", *(f"[{number}] {PROTOCOLS[source]}" for number, source in enumerate(notes))] if notes else []),
    ]
    return "\n".join(lines)


def cell(row: dict[str, float], column: str) -> str:
    """One of the COLUMNS' values for a table; nothing where the row has none."""
    return f"{row[column]:.{5 if column in ('mse', 'mae') else 4}f}" if column in row else ""
