"""Measure reconstruction error as an anomaly score: each class is left out of training once."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from benchmarks.quality.rows import Rows, load_rows
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.estimator.autoencoder import DenoisingAutoencoder
from jaxae.evaluation.tables import markdown


def main(
    left_out: tuple[str, ...] = ("digits", "fashion_mnist"), rows: int = 10_000, epochs: int = 300
) -> None:
    """Print areas under the ROC curve: how often an anomaly has a higher error than a normal image.

    Args:
        left_out: Data sets of which each class is left out: digits, fashion_mnist.
        rows: Most training rows.
        epochs: Most epochs.
    """
    if min(rows, epochs) < 1:
        raise InputError(f"rows is {rows} and epochs {epochs}: give 1 or more")

    for name in left_out:
        data = load_rows(name)
        areas = without_each_class(data, rows, epochs)
        table = [
            [label, *(f"{area:.3f}" for area in row)]
            for label, row in zip([*data.names, "mean"], [*areas, areas.mean(axis=0)], strict=True)
        ]
        print(f"\n{name}, at most {epochs} epochs\n")
        print(markdown(["class left out", "AUROC, jaxae", "AUROC, PCA-2"], table), flush=True)


def without_each_class(data: Rows, rows: int, epochs: int) -> np.ndarray:
    """Return the areas of jaxae and PCA-2, f64[classes, 2].

    All models train on as many rows, and so share one compiled program.
    """
    largest_class = np.bincount(data.train_labels).max()
    count = min(rows, len(data.train) - largest_class)
    areas = []
    for k, name in enumerate(data.names):
        train = data.train[np.flatnonzero(data.train_labels != k)[:count]]
        strange = data.test_labels == k
        model = DenoisingAutoencoder(epochs=epochs, random_state=0).fit(train)
        pca = PCA(2, random_state=0).fit(train)
        back = pca.inverse_transform(pca.transform(data.test))
        scores = (model.anomaly_score(data.test), np.square(back - data.test).mean(axis=1))
        areas.append([float(roc_auc_score(strange, each)) for each in scores])
        messages.say(f"without {name}: {areas[-1][0]:.3f}, PCA {areas[-1][1]:.3f}")
    return np.array(areas)


if __name__ == "__main__":
    command.run(main)
