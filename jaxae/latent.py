"""The latent scorecard of a run: what its two numbers an image keep of the data, beside PCA and what others have published."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.baselines import apply_affine, fit_affine, moments
from jaxae.data import Dataset, check_data
from jaxae.embedding import knn_predict, scorecard
from jaxae.environment import versions
from jaxae.evaluate import Run, corrupt, encode, reconstruct
from jaxae.published import PROTOCOLS, ROWS
from jaxae.step import to_unit

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


def noise_drift(run: Run, dataset: Dataset, *, levels: Sequence[float]) -> dict[str, Any]:
    """Where noise pushes the test images' latents: one draw, classes by 5-NN among the clean training images' latents.

    latents: level → f32[N, 2], changed: the share whose class is not the clean image's, accuracy: the share of true classes.
    """
    check_data(run.config, dataset)
    train, test = encode(run, to_unit(dataset.train.images)), to_unit(dataset.test.images)

    def classes(latents: np.ndarray) -> np.ndarray:
        return knn_predict(train, dataset.train.labels, latents, k=5)

    latents = {level: encode(run, corrupt(test, std=level)) for level in levels}
    unmoved = classes(encode(run, test))
    found = [classes(z) for z in latents.values()]
    return {
        "latents": latents,
        "changed": np.array([np.mean(each != unmoved) for each in found]),
        "accuracy": np.array([np.mean(each == dataset.test.labels) for each in found]),
    }


def quantile_grid(latents: np.ndarray, *, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plane cut at the quantiles of the latents' two coordinates: edges f64[2, cells + 1], middles f32[cells², 2], counts.

    counts: int[cells, cells], and the middles' order, are [row of dimension 2, column of dimension 1].
    """
    edges = np.quantile(latents, np.linspace(0, 1, cells + 1), axis=0).T
    middles = np.quantile(latents, (np.arange(cells) + 0.5) / cells, axis=0).astype(np.float32)
    x, y = np.meshgrid(middles[:, 0], middles[:, 1])
    inside = [np.clip(np.searchsorted(e, z, side="right") - 1, 0, cells - 1) for e, z in zip(edges, latents.T, strict=True)]
    counts = np.bincount(inside[1] * cells + inside[0], minlength=cells**2).reshape(cells, cells)
    return edges, np.stack([x.ravel(), y.ravel()], axis=1), counts


def regular_grid(latents: np.ndarray, *, cells: int) -> tuple[tuple[float, float, float, float], np.ndarray]:
    """All but the outermost 0.4 % of the latents' range: (left, right, bottom, top), and its cells' middles, f32[cells², 2]."""
    low, high = np.quantile(latents, [0.002, 0.998], axis=0)
    middles = low + (high - low) * (np.arange(cells)[:, None] + 0.5) / cells
    plane = np.stack(np.meshgrid(*middles.T), axis=-1).reshape(-1, 2).astype(np.float32)
    return (float(low[0]), float(high[0]), float(low[1]), float(high[1])), plane


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
