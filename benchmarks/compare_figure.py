"""The picture of compare.py: what a map keeps, against the error of its reconstructions, beside what others have published."""

from collections.abc import Mapping, Sequence

from jaxae.evaluation.published_results import FASHION_MNIST
from jaxae.figures.style import TEN_COLOURS, WIDTH, Figure, styled

PANELS = {"l_cont": "ℓ-Cont", "l_trust": "ℓ-Trust", "knn_5": "5-NN accuracy"}


@styled
def draw(scores: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Continuity, trustworthiness and 5-NN against the MSE of clean test images: a dot a run, a cross a published autoencoder.

    scores: by preset, the runs' rows of latent_scorecard.json.
    """
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    figure.suptitle("Maps and reconstructions of 10,000 test images: better is up and to the left")
    published = {name: row for (name, _), row in FASHION_MNIST.items() if "mse" in row and name != "PCA"}
    for axes, (key, label) in zip(figure.subplots(1, len(PANELS), sharex=True), PANELS.items(), strict=True):
        for colour, marker, (preset, rows) in zip(TEN_COLOURS, "os^Dv", scores.items(), strict=False):
            style = {"marker": marker, "ls": "none", "color": colour, "alpha": 0.8}
            axes.plot([row["mse"] for row in rows], [row[key] for row in rows], label=f"jaxae, {preset}", **style)
        for marker, (name, row) in zip("x+1234", published.items(), strict=False):
            point = ([row["mse"]], [row[key]]) if key in row else ([], [])
            axes.plot(*point, marker=marker, ls="none", color="0.35", ms=7, label=name)
        axes.set(xlabel="MSE, clean images", ylabel=label)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
