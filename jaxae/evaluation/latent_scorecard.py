"""The latent scorecard of a run: what its latent space keeps, next to PCA and published results."""

import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import REFERENCES, Dataset
from jaxae.evaluation.baselines import apply_affine, fit_pca
from jaxae.evaluation.embedding_quality import NEIGHBOURS, geometry, knn_predict, neighbourhoods
from jaxae.evaluation.maps import evenness, plane_of
from jaxae.evaluation.reconstruction import introduction
from jaxae.evaluation.records import LatentScores, Scorecard, check_run_and_data, provenance
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
    "kl_0_01": "KL0.01",
    "kl_0_1": "KL0.1",
    "kl_1": "KL1",
    "silhouette": "silhouette",
    "evenness": "evenness",
}
"""The fields of LatentScores, and their names in a table."""
GEOMETRY = list(COLUMNS.values())[5:]
"""The names of the measures that need neighbourhoods of ten images and more."""
LABELS = {"ours": "jaxae", "pca": "PCA-2, computed here"}
"""The names of a scorecard's rows in a table."""
TESTED = 10_000
"""Most test images: all distances between them are computed."""


def score_latent(run: Run, dataset: Dataset, *, pca: LatentScores | None = None) -> Scorecard:
    """Return the scores of the model and of PCA-2 on up to TESTED clean test images.

    Without labels the neighbours' classes and the silhouette are left out. pca: its scores, if the
    same data were scored before. Raises InputError.
    """
    check_run_and_data(run, dataset)
    all_images = len(dataset.test.images)
    dataset = dataset._replace(
        train=dataset.train.at_most(REFERENCES), test=dataset.test.at_most(TESTED)
    )
    train = to_unit(dataset.train.images)
    test = to_unit(dataset.test.images)

    ours = _scores(dataset, encode(run, train), encode(run, test), reconstruct(run, test))
    count = f"{len(test)}" if len(test) == all_images else f"{len(test)} of {all_images}"

    return Scorecard(
        about=provenance(run, dataset, split=f"test, {count} images, clean"),
        neighbours=int(max(neighbourhoods(len(test)), default=0)),
        ours=ours,
        pca=pca or _pca_scores(dataset, train, test),
    )


def _pca_scores(dataset: Dataset, train: np.ndarray, test: np.ndarray) -> LatentScores:
    pca, axes = fit_pca(train)
    latents = train.reshape(len(train), -1) @ axes
    tested = test.reshape(len(test), -1) @ axes

    return _scores(dataset, latents, tested, apply_affine(pca, test))


def _scores(
    dataset: Dataset, train: np.ndarray, test: np.ndarray, output: np.ndarray
) -> LatentScores:
    """train, test: the latents, float[N, d]; output: the reconstructions of the test images."""
    clean = to_unit(dataset.test.images)
    error = output.astype(np.float64) - clean

    accuracy = {}
    if dataset.train.labels is not None:
        for k in (1, 5, 10):
            found = knn_predict(train, dataset.train.labels, test, k=k)
            accuracy[f"knn_{k}"] = float(np.mean(found == dataset.test.labels))

    shape = {}
    if len(neighbourhoods(len(test))):
        shape = geometry(clean, test, labels=dataset.test.labels)._asdict()
        shape["evenness"] = evenness(plane_of(test).project(test))

    return LatentScores(
        mse=float(np.square(error).mean()),
        mae=float(np.abs(error).mean()),
        **accuracy,
        **shape,
    )


def table(scores: Scorecard) -> str:
    """Return a scorecard as Markdown, with published rows of the same data and their protocols."""
    published = PUBLISHED.get(scores.about.dataset, {})
    sources = list(dict.fromkeys(["jaxae", *(source for _, source in published)]))

    def note(source: str) -> str:
        return f" [{sources.index(source)}]" if published else ""

    rows = [[LABELS["ours"] + note("jaxae"), *cells(scores.ours)]]
    rows.append([LABELS["pca"], *cells(scores.pca)])
    for (name, source), row in published.items():
        rows.append([name + note(source), *cells(row)])

    if scores.neighbours:
        most = scores.neighbours
        means = f"means over 10 to {most} neighbours" if most > 10 else "with 10 neighbours"
    else:
        means = f"{', '.join(GEOMETRY)} need more than {2 * NEIGHBOURS[0]} test images"
    lines = [introduction(scores.about, means), "", markdown(["", *COLUMNS.values()], rows)]
    if published:
        lines.append("")
        lines += [f"[{number}] {PROTOCOLS[source]}" for number, source in enumerate(sources)]

    return "\n".join(lines)


def cells(scores: LatentScores) -> list[str]:
    """Return the values of a table's COLUMNS."""
    return [cell(scores, column) for column in COLUMNS]


def cell(scores: LatentScores, column: str) -> str:
    """Return one value for a table; an empty text if it was not measured."""
    value = getattr(scores, column)
    if value is None:
        return ""

    return f"{value:.5f}" if column in ("mse", "mae") else f"{value:.4f}"


SAINBURG = "Sainburg, McInnes, Gentner 2021 (Parametric UMAP)"
MOOR = "Moor, Horn, Rieck, Borgwardt 2020 (Topological Autoencoders)"
PROTOCOLS = {
    "jaxae": "jaxae: trained on the first 55,000 images with the run's noise; scored on clean "
    "ones; kNN fitted on those 55,000",
    SAINBURG: f"{SAINBURG}: one run, 50,000 images; convolutional, 64-128-512-2, BCE, 50 epochs; "
    "kNN on latents",
    MOOR: f"{MOOR}: fully connected, 784-1000-500-250-2, tanh, pixels in [-1, 1] (MSE divided by "
    "4); at second hand",
}
FASHION_MNIST = {
    ("convolutional autoencoder", SAINBURG): LatentScores(
        mse=0.024383, mae=0.084933, knn_1=0.6816, knn_5=0.7339, trust_k5=0.97035
    ),
    ("variational autoencoder", SAINBURG): LatentScores(
        mse=0.025333, mae=0.087578, knn_1=0.6646, knn_5=0.7161, trust_k5=0.96814
    ),
    ("UMAP + autoencoder", SAINBURG): LatentScores(mse=0.024047, knn_1=0.7083, knn_5=0.7561),
    ("Parametric UMAP", SAINBURG): LatentScores(mse=0.026576, knn_1=0.6941, knn_5=0.7407),
    ("PCA", SAINBURG): LatentScores(mse=0.046097, knn_1=0.4467, knn_5=0.5055, trust_k5=0.91244),
    ("fully connected autoencoder", MOOR): LatentScores(
        mse=0.0255, l_trust=0.974, l_cont=0.968, l_mrre=0.026, kl_0_1=0.068
    ),
    ("topological autoencoder", MOOR): LatentScores(
        mse=0.0302, l_trust=0.956, l_cont=0.980, l_mrre=0.032, kl_0_1=0.054
    ),
    ("UMAP", MOOR): LatentScores(l_trust=0.959, l_cont=0.981, l_mrre=0.029, kl_0_1=0.065),
    ("PCA", MOOR): LatentScores(
        mse=0.0461, l_trust=0.917, l_cont=0.968, l_mrre=0.057, kl_0_1=0.052
    ),
}
PUBLISHED = {"fashion_mnist": FASHION_MNIST}
"""Published scores of the official test images: by data set, then by method and source."""
RELEASED_LOSS = {"fashion_mnist": 0.09804}
"""The validation loss of checkpoints/released, by data set."""
