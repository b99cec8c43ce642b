"""The picture of compare.py: what a map keeps, against the error of its reconstructions, beside what others have published."""

from collections.abc import Mapping, Sequence

from jaxae.evaluation.records import LatentScores
from jaxae.figures.style import TEN_COLOURS, WIDTH, Figure, styled

PANELS = {"l_cont": "ℓ-Cont", "l_trust": "ℓ-Trust", "knn_5": "5-NN accuracy"}


@styled
def draw(
    scores: Mapping[str, Sequence[LatentScores]],
    *,
    published: Mapping[tuple[str, str], LatentScores],
    title: str,
) -> Figure:
    """Continuity, trustworthiness and 5-NN against the MSE of clean test images: a dot a run, a cross a published autoencoder.

    scores: by preset, the runs' scores. published: by name and source, of the same data.
    """
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    figure.suptitle(title)
    others = {
        name: row for (name, _), row in published.items() if row.mse is not None and name != "PCA"
    }
    for axes, (key, label) in zip(
        figure.subplots(1, len(PANELS), sharex=True), PANELS.items(), strict=True
    ):
        for colour, marker, (preset, rows) in zip(
            TEN_COLOURS, "os^Dv", scores.items(), strict=False
        ):
            style = {"marker": marker, "ls": "none", "color": colour, "alpha": 0.8}
            axes.plot(
                [row.mse for row in rows],
                [getattr(row, key) for row in rows],
                label=f"jaxae, {preset}",
                **style,
            )
        for marker, (name, row) in zip("x+1234", others.items(), strict=False):
            value = getattr(row, key)
            point = ([], []) if value is None else ([row.mse], [value])
            axes.plot(*point, marker=marker, ls="none", color="0.35", ms=7, label=name)
        axes.set(xlabel="MSE, clean images", ylabel=label)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(alpha=0.3)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    return figure
