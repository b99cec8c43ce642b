"""Compare maps of new points: the estimator, PCA, UMAP, t-SNE and PaCMAP."""

import contextlib
import importlib.util
import io
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.quality.rows import Rows, load_rows
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.estimator.autoencoder import DenoisingAutoencoder
from jaxae.evaluation.embedding_quality import geometry, knn_predict
from jaxae.evaluation.tables import markdown

NEW_POINTS = 10_000
PACKAGES = {"UMAP": "umap", "t-SNE (openTSNE)": "openTSNE", "PaCMAP": "pacmap"}
"""The methods that another package has, which compiles with numba."""
METHODS = ("PCA", "jaxae", *PACKAGES)


class Timed(NamedTuple):
    """What a function returned, and its seconds by the clock and of all threads together."""

    result: Any
    seconds: float
    cpu_seconds: float


class TSNE:
    """openTSNE with scikit-learn's method names."""

    def fit(self, X: np.ndarray) -> "TSNE":
        """Train the embedding of X."""
        self.map = importlib.import_module("openTSNE").TSNE(random_state=0, n_jobs=-1).fit(X)
        self.embedding_ = np.asarray(self.map)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Place new rows among those of fit."""
        return np.asarray(self.map.transform(X))


class PaCMAP:
    """PaCMAP, whose transform wants the rows of fit again."""

    def fit(self, X: np.ndarray) -> "PaCMAP":
        """Train the embedding of X."""
        self.rows = X
        self.map = importlib.import_module("pacmap").PaCMAP(random_state=0, save_tree=True)
        self.embedding_ = np.asarray(self.map.fit_transform(X))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Place new rows among those of fit."""
        return np.asarray(self.map.transform(X, basis=self.rows))


def main(
    datasets: tuple[str, ...] = ("digits", "fashion_mnist"),
    rows: int = 10_000,
    epochs: int = 300,
    methods: tuple[str, ...] = METHODS,
) -> None:
    """Fit each method on the same rows, and measure its map of test rows that it has not seen.

    Args:
        datasets: digits and fashion_mnist.
        rows: Most training rows.
        epochs: Most epochs of the estimator.
        methods: PCA, jaxae, UMAP, "t-SNE (openTSNE)", PaCMAP.
    """
    if unknown := [name for name in methods if name not in METHODS]:
        raise InputError(f"{unknown[0]} is not a method: there are {', '.join(METHODS)}")

    columns = ["fit", "CPU", "10,000 new points", "CPU", "trust k=5", "5-NN", "MSE"]
    for name in datasets:
        data = load_rows(name)
        data = data._replace(train=data.train[:rows], train_labels=data.train_labels[:rows])
        table = []
        for method in methods:
            package = PACKAGES.get(method)
            if package and importlib.util.find_spec(package) is None:
                messages.say(f"{method} is left out: pip install -e '.[benchmark]' brings it")
                continue
            table.append([method, *measure(method, data, epochs)])
            messages.say(f"{name}: {' | '.join(table[-1])}")
        print(f"\n{name}, {len(data.train)} rows to fit, {len(data.test)} test rows\n")
        print(markdown(["", *columns], table), flush=True)


def make(method: str, epochs: int) -> Any:
    """Return an estimator with two components, seed 0, and else its own defaults."""
    if method == "PCA":
        return PCA(2, random_state=0)
    if method == "jaxae":
        return DenoisingAutoencoder(epochs=epochs, random_state=0)
    if method == "UMAP":
        return importlib.import_module("umap").UMAP(random_state=0)
    return TSNE() if method.startswith("t-SNE") else PaCMAP()


def measure(method: str, data: Rows, epochs: int) -> list[str]:
    """Return the cells of a method."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        if method in PACKAGES:  # a small fit first keeps numba's compiler out of the time
            make(method, epochs).fit(data.train[:500]).transform(data.test[:100])
        fit = timed(lambda: make(method, epochs).fit(data.train))
        model = fit.result
        new = np.resize(data.test, (NEW_POINTS, data.test.shape[1]))
        transform = timed(lambda: model.transform(new))
        latents = model.transform(data.test)
        places = getattr(model, "embedding_", None)
        if places is None:
            places = model.transform(data.train)

    trust = geometry(data.test, latents, labels=data.test_labels).trust_k5
    predicted = knn_predict(places, data.train_labels.astype(int), latents, k=5)
    cells = [
        *(f"{seconds:.2f} s" for seconds in (*fit[1:], *transform[1:])),
        f"{trust:.3f}",
        f"{np.mean(predicted == data.test_labels):.3f}",
    ]
    if method not in ("PCA", "jaxae"):
        return [*cells, ""]
    return [*cells, f"{np.square(model.inverse_transform(latents) - data.test).mean():.4f}"]


def timed(work: Callable[[], Any]) -> Timed:
    """Run a function."""
    began = time.perf_counter()
    busy = time.process_time()
    result = work()
    return Timed(result, time.perf_counter() - began, time.process_time() - busy)


if __name__ == "__main__":
    command.run(main)
