"""The latent scorecard of a run: what its two numbers an image keep of the data, beside PCA and what others have published."""

from typing import Any

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import REFERENCES, Dataset, check_data
from jaxae.evaluation.baselines import apply_affine, fit_pca
from jaxae.evaluation.embedding_quality import knn_predict, neighbourhoods, scorecard
from jaxae.evaluation.reconstruction import header, introduction
from jaxae.evaluation.tables import markdown
from jaxae.inference import Run, encode, reconstruct

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


def score_latent(
    run: Run, dataset: Dataset, *, pca: dict[str, float] | None = None
) -> dict[str, Any]:
    """The contents of latent_scorecard.json: the model and PCA-2, on up to TESTED clean test images. Raises InputError.

    Without labels the neighbours' classes and the silhouette are left out. pca: its row, where the data were scored before.
    """
    check_data(run.config, dataset, trained_on=run.data_sha256)
    whole = len(dataset.test.images)
    dataset = dataset._replace(
        train=dataset.train.at_most(REFERENCES), test=dataset.test.at_most(TESTED)
    )
    train, test = to_unit(dataset.train.images), to_unit(dataset.test.images)
    rows = {
        "jaxae": _row(dataset, encode(run, train), encode(run, test), reconstruct(run, test), test),
        PCA: pca or _pca_row(dataset, train, test),
    }
    most = int(neighbourhoods(len(test))[-1])
    tested = f"{whole}" if whole == len(test) else f"{len(test)} of {whole}"
    return {
        **header(run, dataset, f"test, {tested} images, clean"),
        "neighbours": most,
        "rows": rows,
    }


def _pca_row(dataset: Dataset, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    pca, axes = fit_pca(train)
    on_train, on_test = (images.reshape(len(images), -1) @ axes for images in (train, test))
    return _row(dataset, on_train, on_test, apply_affine(pca, test), test)


def _row(
    dataset: Dataset, train: np.ndarray, test: np.ndarray, output: np.ndarray, clean: np.ndarray
) -> dict[str, float]:
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
    notes = (
        list(dict.fromkeys(["jaxae", *(source for _, source in published)])) if published else []
    )
    rows = {(name, name): row for name, row in scores["rows"].items()} | published
    lines = [
        introduction(scores, f"means over k = 10, 20 … {scores.get('neighbours', 200)} neighbours"),
        "",
        markdown(
            ["", *COLUMNS.values()],
            [
                [
                    name + (f" [{notes.index(source)}]" if source in notes else ""),
                    *(cell(row, key) for key in COLUMNS),
                ]
                for (name, source), row in rows.items()
            ],
        ),
        *(
            ["", *(f"[{number}] {PROTOCOLS[source]}" for number, source in enumerate(notes))]
            if notes
            else []
        ),
    ]
    return "\n".join(lines)


def cell(row: dict[str, float], column: str) -> str:
    """One of the COLUMNS' values for a table; nothing where the row has none."""
    return f"{row[column]:.{5 if column in ('mse', 'mae') else 4}f}" if column in row else ""


SAINBURG = "Sainburg, McInnes, Gentner 2021 (Parametric UMAP)"


MOOR = "Moor, Horn, Rieck, Borgwardt 2020 (Topological Autoencoders)"


PROTOCOLS = {
    "jaxae": "jaxae: trained on the first 55,000 images with the run's noise; scored on clean ones; kNN fitted on those 55,000",
    SAINBURG: f"{SAINBURG}: one run, 50,000 images; convolutional, 64-128-512-2, BCE, 50 epochs; kNN on latents",
    MOOR: f"{MOOR}: fully connected, 784-1000-500-250-2, tanh, pixels in [-1, 1] (MSE divided by 4); at second hand",
}


FASHION_MNIST: dict[tuple[str, str], dict[str, float]] = {
    ("convolutional autoencoder", SAINBURG): {
        "mse": 0.024383,
        "mae": 0.084933,
        "knn_1": 0.6816,
        "knn_5": 0.7339,
        "trust_k5": 0.97035,
    },
    ("variational autoencoder", SAINBURG): {
        "mse": 0.025333,
        "mae": 0.087578,
        "knn_1": 0.6646,
        "knn_5": 0.7161,
        "trust_k5": 0.96814,
    },
    ("UMAP + autoencoder", SAINBURG): {"mse": 0.024047, "knn_1": 0.7083, "knn_5": 0.7561},
    ("Parametric UMAP", SAINBURG): {"mse": 0.026576, "knn_1": 0.6941, "knn_5": 0.7407},
    ("PCA", SAINBURG): {"mse": 0.046097, "knn_1": 0.4467, "knn_5": 0.5055, "trust_k5": 0.91244},
    ("fully connected autoencoder", MOOR): {
        "mse": 0.0255,
        "l_trust": 0.974,
        "l_cont": 0.968,
        "l_mrre": 0.026,
        "kl_0.1": 0.068,
    },
    ("topological autoencoder", MOOR): {
        "mse": 0.0302,
        "l_trust": 0.956,
        "l_cont": 0.980,
        "l_mrre": 0.032,
        "kl_0.1": 0.054,
    },
    ("UMAP", MOOR): {"l_trust": 0.959, "l_cont": 0.981, "l_mrre": 0.029, "kl_0.1": 0.065},
    ("PCA", MOOR): {
        "mse": 0.0461,
        "l_trust": 0.917,
        "l_cont": 0.968,
        "l_mrre": 0.057,
        "kl_0.1": 0.052,
    },
}


PUBLISHED = {"fashion_mnist": FASHION_MNIST}
"""(name, source) → values, of the 10,000 official test images."""


RELEASED_LOSS = {"fashion_mnist": 0.10105}
"""The validation loss of checkpoints/released, by data set."""
