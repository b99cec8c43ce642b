"""The sections of a report about what a run can do: curves, metrics, figures.

Facts in, HTML out.
"""

from collections.abc import Callable

import numpy as np

from jaxae.evaluation import baselines, latent_scorecard, plots, reconstruction
from jaxae.evaluation.explained import explained_lines
from jaxae.evaluation.latent_scorecard import PROTOCOLS, PUBLISHED
from jaxae.evaluation.records import Curve, NoiseCurve
from jaxae.evaluation.tables import decibels
from jaxae.figures.style import Figure
from jaxae.figures.training_curves import draw_training_curves
from jaxae.report.facts import Facts
from jaxae.report.markup import Row, picture, source, table, text

SCORES = (
    "mse",
    "mae",
    "knn_1",
    "knn_5",
    "trust_k5",
    "l_trust",
    "l_cont",
    "l_mrre",
    "kl_0_1",
    "silhouette",
    "evenness",
)
"""The columns of the scorecard that fit a page."""


def training(facts: Facts) -> str:
    """Return the learning curves."""
    if not facts.epochs:
        return text(
            "There is no metrics.jsonl: jaxae has not trained this model, or the file is gone."
        )

    count = len(facts.epochs)
    best = facts.run.epoch
    curves = picture(
        draw_training_curves([facts.epochs], title=f"Training on {facts.dataset.title}"),
        caption=f"Loss and learning rate by epoch, {count} epochs.",
        alt=f"Training and validation loss fall over {count} epochs; the best epoch is {best}.",
    )
    return curves + source("Drawn from metrics.jsonl.")


def quality(facts: Facts) -> str:
    """Return the metrics of the test images, and those of other methods."""
    evaluation = facts.evaluation
    rows = [
        Row(
            reconstruction.LABELS[name],
            reconstruction.cells(row),
            highlighted=name in ("noisy", "clean"),
        )
        for name, row in evaluation.rows().items()
    ]
    split, noise = evaluation.about.split, evaluation.noise_factor
    said = f"Recomputed: {split}, noise {noise:g}; mean over all images."
    metrics = table(["", *reconstruction.COLUMNS], rows) + source(said)
    for line in explained_lines(
        mse=evaluation.clean.mse,
        mean_image=evaluation.mean_image.mse,
        latent_dim=facts.run.model.latent_dim,
        images="test images",
    ):
        metrics += text(line)

    if facts.curve:
        return metrics + _rivals(facts.curve, noise)
    return metrics + source("Not measured for other methods: jaxae plot noise-curve RUN does.")


def _rivals(curve: NoiseCurve, noise_factor: float) -> str:
    """Return the quality of each method at the measured noise level nearest to this one."""
    nearest = int(np.argmin(np.abs(np.subtract(curve.levels, noise_factor))))

    rows = [Row("jaxae", _quality_at(curve.ours, nearest), highlighted=True)]
    for name, rival in curve.rivals.items():
        rows.append(Row(baselines.LABELS.get(name, name), _quality_at(rival, nearest)))

    title = f"Other methods at noise {curve.levels[nearest]:g}"
    said = f"From noise_curve.json: {curve.about.split}, means of {curve.draws} noise draws."
    return text(title, kind="h4") + table(["", "MSE", "PSNR", "SSIM"], rows) + source(said)


def _quality_at(curve: Curve, level: int) -> list[str]:
    """Return the means over the noise draws at a level, by its index."""
    psnr = [value for value in curve.psnr[level] if value is not None]
    finite = len(psnr) == len(curve.psnr[level])
    return [
        f"{np.mean(curve.mse[level]):.5f}",
        decibels(float(np.mean(psnr)) if finite else None),
        f"{np.mean(curve.ssim[level]):.3f}",
    ]


def latent_space(facts: Facts) -> str:
    """Return the scorecard, next to PCA and published rows."""
    scorecard = facts.scorecard
    if not scorecard:
        return text("Not scored: jaxae score RUN does.")

    published = PUBLISHED.get(scorecard.about.dataset, {})
    sources = list(dict.fromkeys(["jaxae", *(where for _, where in published)]))

    def note(where: str) -> str:
        return f" [{sources.index(where)}]" if published else ""

    scores = [scorecard.ours, scorecard.pca, *published.values()]
    columns = [
        column for column in SCORES if any(getattr(score, column) is not None for score in scores)
    ]
    names = [
        latent_scorecard.LABELS["ours"] + note("jaxae"),
        latent_scorecard.LABELS["pca"],
        *(name + note(where) for name, where in published),
    ]
    rows = [
        Row(
            name,
            [latent_scorecard.cell(score, column) for column in columns],
            highlighted=score is scorecard.ours,
        )
        for name, score in zip(names, scores, strict=True)
    ]

    titles = [latent_scorecard.COLUMNS[column] for column in columns]
    page = table(["", *titles], rows) + source(
        "From latent_scorecard.json; jaxae score prints more."
    )
    if published:
        for number, where in enumerate(sources):
            page += source(f"[{number}] {PROTOCOLS[where]}")
    return page


def classes(facts: Facts) -> str:
    """Return the metrics of each class."""
    if not facts.evaluation.classes:
        return text("The data have no labels.")

    rows = [
        Row(name, [*reconstruction.cells(each.quality), f"{100 * each.recall:.1f} %"])
        for name, each in facts.evaluation.classes.items()
    ]
    said = (
        "Recomputed. Recall: share of the class whose clean latent's five nearest training "
        "neighbours vote for it."
    )
    return table(["noisy input", *reconstruction.COLUMNS, "5-NN recall"], rows) + source(said)


def figures(facts: Facts) -> str:
    """Return the figures, drawn for this report."""
    drawn = [
        picture(draw(facts.run, facts.dataset), caption=caption, alt=caption)
        for draw, caption in FIGURES
    ]
    said = "Drawn for this report."

    if facts.curve:
        figure = plots.noise_curve(facts.run, facts.dataset, measured=facts.curve)
        drawn.append(picture(figure, caption=CURVE, alt=CURVE))
        said = "Drawn for this report; the curve over noise levels from noise_curve.json."

    return f'<div class="figures">{"".join(drawn)}</div>{source(said)}'


FIGURES: tuple[tuple[Callable[..., Figure], str], ...] = (
    (plots.reconstructions, "Test images: clean, noisy and denoised."),
    (plots.error_maps, "Where the pixels go wrong."),
    (plots.noise_robustness, "The same images at four strengths of noise."),
    (plots.latent_space, "All test images in the latent plane, and each class alone."),
    (
        plots.latent_grid,
        "The decoder's images over the plane, and how many test images are in each cell.",
    ),
    (plots.noise_drift, "Where noise pushes the latents."),
)
CURVE = "Quality at every noise level next to other methods, and under noise of other kinds."
