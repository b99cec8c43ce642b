"""Maps of new points: the estimator beside PCA, UMAP, t-SNE and PaCMAP, on Fashion-MNIST and scikit-learn's digits."""

import contextlib
import importlib.util
import io
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from jaxae.cli import command, messages
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.estimator.autoencoder import DenoisingAutoencoder
from jaxae.evaluation.embedding_quality import geometry, knn_predict
from jaxae.evaluation.tables import markdown

NEW_POINTS = 10_000
COLUMNS = ["fit", "CPU", "10,000 new points", "CPU", "trust k=5", "5-NN", "MSE"]
PACKAGES = {"UMAP": "umap", "t-SNE (openTSNE)": "openTSNE", "PaCMAP": "pacmap"}
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def main(
    datasets: tuple[str, ...] = ("digits", "fashion_mnist"),
    rows: int = 10_000,
    epochs: int = 300,
    without: tuple[str, ...] = (),
) -> None:
    """Fits each method on the same rows with its own defaults, and measures its map of test rows that it has not seen.

    Args:
        datasets: digits and fashion_mnist.
        rows: Most training rows to fit on; every method gets the same.
        epochs: Most epochs of the estimator.
        without: Names of methods to leave out.
    """
    for name in datasets:
        data = load(name, rows)
        table = []
        for method, make in methods(epochs).items():
            if method in without or not available(method):
                messages.say(
                    f"{method} is left out{'' if method in without else ': pip install -e .[benchmark] brings it'}"
                )
                continue
            table.append([method, *measure(make, data)])
            messages.say(f"{name}: {' | '.join(table[-1])}")
        print(f"\n{name}, {len(data[0])} rows to fit, {len(data[2])} test rows\n", flush=True)
        print(markdown(["", *COLUMNS], table), flush=True)


def load(name: str, rows: int) -> Arrays:
    """Training rows and labels, test rows and labels; f32 in [0, 1]."""
    if name == "digits":
        found = load_digits()
        train, test, labels, test_labels = train_test_split(
            found.data, found.target, test_size=450, random_state=0
        )
        return (
            (train[:rows] / 16).astype(np.float32),
            labels[:rows],
            (test / 16).astype(np.float32),
            test_labels,
        )
    if name != "fashion_mnist":
        raise InputError(f"{name} is no data set of this comparison: give digits or fashion_mnist")
    data = load_dataset("fashion_mnist", report=messages.say)
    train, test = (
        (part.images.reshape(len(part.images), -1) / 255).astype(np.float32)
        for part in (data.train, data.test)
    )
    assert data.train.labels is not None
    assert data.test.labels is not None
    return train[:rows], data.train.labels[:rows].astype(int), test, data.test.labels.astype(int)


def methods(epochs: int) -> dict[str, Callable[[], Any]]:
    """How each method is made; two components, seed 0, else its own defaults."""

    def umap() -> Any:
        return importlib.import_module("umap").UMAP(random_state=0)

    def tsne() -> Any:
        return TSNE()

    def pacmap() -> Any:
        return PaCMAP()

    return {
        "PCA": lambda: PCA(2, random_state=0),
        "jaxae": lambda: DenoisingAutoencoder(epochs=epochs, random_state=0),
        "UMAP": umap,
        "t-SNE (openTSNE)": tsne,
        "PaCMAP": pacmap,
    }


class TSNE:
    """openTSNE with scikit-learn's method names."""

    def fit(self, X: np.ndarray) -> "TSNE":
        """Trains the embedding of X."""
        self.map = importlib.import_module("openTSNE").TSNE(random_state=0, n_jobs=-1).fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Places new rows among those of fit."""
        return np.asarray(self.map.transform(X))

    def fitted(self) -> np.ndarray:
        """Where the rows of fit lie."""
        return np.asarray(self.map)


class PaCMAP:
    """PaCMAP, whose transform wants the rows of fit again."""

    def fit(self, X: np.ndarray) -> "PaCMAP":
        """Trains the embedding of X."""
        self.rows, self.map = (
            X,
            importlib.import_module("pacmap").PaCMAP(random_state=0, save_tree=True),
        )
        self.place = self.map.fit_transform(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Places new rows among those of fit."""
        return np.asarray(self.map.transform(X, basis=self.rows))

    def fitted(self) -> np.ndarray:
        """Where the rows of fit lie."""
        return np.asarray(self.place)


def available(method: str) -> bool:
    """Whether its package is installed."""
    return method not in PACKAGES or importlib.util.find_spec(PACKAGES[method]) is not None


def measure(make: Callable[[], Any], data: Arrays) -> list[str]:
    """The cells of one method. Of those that compile with numba, a small fit before keeps the compiler out of the time."""
    train, labels, test, test_labels = data
    new = np.resize(test, (NEW_POINTS, test.shape[1]))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        if type(make()).__name__ in ("UMAP", "TSNE", "PaCMAP"):
            make().fit(train[:500]).transform(test[:100])
        model, *fit_seconds = timed(lambda: make().fit(train))
        _, *transform_seconds = timed(lambda: model.transform(new))
        Z = model.transform(test)
        places = model.fitted() if hasattr(model, "fitted") else getattr(model, "embedding_", None)
        places = model.transform(train) if places is None else places
        back = model.inverse_transform(Z) if isinstance(model, PCA | DenoisingAutoencoder) else None
    cells = [f"{seconds:.2f} s" for seconds in (*fit_seconds, *transform_seconds)]
    cells.append(f"{geometry(test, Z, labels=test_labels).trust_k5:.3f}")
    cells.append(f"{np.mean(knn_predict(places, labels, Z, k=5) == test_labels):.3f}")
    return [*cells, "" if back is None else f"{np.square(back - test).mean():.4f}"]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it returns, seconds by the clock, and seconds of all threads together."""
    began, busy = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - began, time.process_time() - busy


if __name__ == "__main__":
    command.run(main)
