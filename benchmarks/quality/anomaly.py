"""Reconstruction error as an anomaly score: other pictures against Fashion-MNIST, and each class that training never saw."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import jaxae
from jaxae.cli import command, messages
from jaxae.core.images import to_unit
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.estimator.autoencoder import DenoisingAutoencoder
from jaxae.evaluation.tables import markdown

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]


def main(
    run: Path | None = Path("checkpoints/released"),
    others: tuple[str, ...] = ("synthetic",),
    left_out: tuple[str, ...] = ("digits", "fashion_mnist"),
    rows: int = 10_000,
    epochs: int = 300,
) -> None:
    """Prints areas under the ROC curve: the chance that an anomaly has a higher error than a normal image.

    Args:
        run: Run directory of a model of Fashion-MNIST, for the first table.
        others: Data sets whose test images are the anomalies there: synthetic, mnist, kmnist.
        left_out: Data sets of which each class is left out of training once: digits, fashion_mnist.
        rows: Most training rows there.
        epochs: Most epochs there.
    """
    if others and run:
        print(
            markdown(
                [f"anomalies, {run}", "images", "AUROC", "mean error", "of Fashion-MNIST"],
                beside(run, others),
            ),
            flush=True,
        )
    for name in left_out:
        data = load(name)
        table = without_each_class(data, rows, epochs)
        print(f"\n{name}, at most {epochs} epochs\n", flush=True)
        print(
            markdown(["class left out", "AUROC, jaxae", "AUROC, PCA-2", "rows trained on"], table),
            flush=True,
        )


def beside(run_dir: Path, others: tuple[str, ...]) -> list[list[str]]:
    """A row for each of the other data sets: its test images against Fashion-MNIST's."""
    run, rows = jaxae.load(run_dir), []
    normal = errors(run, load_dataset("fashion_mnist", report=messages.say).test.images)
    for name in others:
        data = load_dataset(name, report=messages.say)
        if data.name != name:
            raise InputError(
                f"{name} is not what was loaded ({data.name}): give its files with JAXAE_MANUAL_DIR"
            )
        strange = errors(run, data.test.images)
        figures = [f"{auroc(normal, strange):.4f}", f"{strange.mean():.5f}", f"{normal.mean():.5f}"]
        rows.append([data.title, str(len(strange)), *figures])
    return rows


def without_each_class(data: Data, rows: int, epochs: int) -> list[list[str]]:
    """A row for each class: models trained without it, on as many rows each, so that all share one compiled program."""
    train, labels, test, test_labels, names = data
    count = min(rows, *(int(np.sum(labels != k)) for k in range(len(names))))
    table = []
    for k, name in enumerate(names):
        seen, strange = train[labels != k][:count], test_labels == k
        scores: list[Callable[[np.ndarray], np.ndarray]] = [
            DenoisingAutoencoder(epochs=epochs, random_state=0).fit(seen).anomaly_score,
            pca_error(seen),
        ]
        areas = [auroc(score(test[~strange]), score(test[strange])) for score in scores]
        table.append([name, *(f"{area:.3f}" for area in areas), str(count)])
        messages.say(" | ".join(table[-1]))
    means = np.array([[float(cell) for cell in row[1:3]] for row in table]).mean(axis=0)
    return [*table, ["mean", *(f"{mean:.3f}" for mean in means), ""]]


def load(name: str) -> Data:
    """Training rows u8 and labels, test rows and labels, names of the classes."""
    if name == "digits":
        found = load_digits()
        rows = np.rint(found.data * (255 / 16)).astype(np.uint8)
        train, test, labels, test_labels = train_test_split(
            rows, found.target, test_size=450, random_state=0
        )
        return train, labels, test, test_labels, tuple(map(str, found.target_names))
    if name != "fashion_mnist":
        raise InputError(
            f"{name} is no data set whose classes are left out: give digits or fashion_mnist"
        )
    data = load_dataset("fashion_mnist", report=messages.say)
    assert data.train.labels is not None
    assert data.test.labels is not None
    rows, test = (part.images.reshape(len(part.images), -1) for part in (data.train, data.test))
    return rows, data.train.labels, test, data.test.labels, data.class_names


def errors(run: jaxae.inference.Run, images: np.ndarray) -> np.ndarray:
    """Mean squared error of each image's reconstruction."""
    return np.square(jaxae.reconstruct(run, images) - to_unit(images)).mean(axis=(1, 2, 3))


def pca_error(seen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The same score, of two principal components."""
    pca = PCA(2, random_state=0).fit(seen)
    return lambda rows: np.square(pca.inverse_transform(pca.transform(rows)) - rows).mean(axis=1)


def auroc(normal: np.ndarray, strange: np.ndarray) -> float:
    """The area under the ROC curve, by scikit-learn."""
    truth = np.repeat([0, 1], [len(normal), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([normal, strange])))


if __name__ == "__main__":
    command.run(main)
