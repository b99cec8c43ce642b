"""The sections of a report about what a run can do: curves, metrics, figures. Facts in, HTML out."""

from collections.abc import Callable

import numpy as np

from jaxae.evaluation import baselines, latent_scorecard, plots, reconstruction
from jaxae.evaluation.latent_scorecard import PROTOCOLS, PUBLISHED
from jaxae.evaluation.records import Curve
from jaxae.evaluation.tables import decibels
from jaxae.figures.style import Figure
from jaxae.figures.training_curves import training_curves
from jaxae.report.facts import Facts
from jaxae.report.markup import picture, source, table, text
from jaxae.runs import metrics_log

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
)
"""The columns of the scorecard that fit a page."""


def training(facts: Facts) -> str:
    """The learning curves."""
    rows = [row for row in facts.rows if row.keys() >= {"data", "best", *metrics_log.SCALARS}]
    if not rows:
        return text(
            "There is no metrics.jsonl: jaxae has not trained this model, or the file is gone."
        )
    figure = training_curves([rows], title=f"Training on {facts.dataset.title}")
    caption = f"Loss and learning rate by epoch, {len(rows)} epochs."
    alt = f"Training and validation loss fall over {len(rows)} epochs; the best epoch is {facts.run.epoch}."
    return picture(figure, caption=caption, alt=alt) + source("Drawn from metrics.jsonl.")


def quality(facts: Facts) -> str:
    """MSE to SSIM of the test images, beside rivals."""
    rows = []
    for name, each in facts.evaluation.rows().items():
        label = reconstruction.LABELS[name]
        ours = "*" if label.startswith("jaxae") else ""
        rows.append([ours + label, *reconstruction.cells(each)])
    parts = [table(["", *reconstruction.COLUMNS], rows)]
    measured = f"{facts.evaluation.about.split}, noise {facts.evaluation.noise_factor:g}"
    parts.append(source(f"Recomputed: {measured}; mean over all images."))
    if facts.curve:
        levels = facts.curve.levels
        at = int(np.argmin(np.abs(np.subtract(levels, facts.evaluation.noise_factor))))
        rows = [["*jaxae", *_rival(facts.curve.ours, at)]]
        rows += [
            [baselines.LABELS[name], *_rival(curve, at)]
            for name, curve in facts.curve.rivals.items()
        ]
        parts.append(
            text(f"Beside other methods at noise {levels[at]:g}", kind="h4")
            + table(["", "MSE", "PSNR", "SSIM"], rows)
        )
        taken = f"{facts.curve.about.split}, means of {facts.curve.draws} noise draws"
        parts.append(source(f"From noise_curve.json: {taken}."))
    else:
        parts.append(source("Not measured beside other methods: jaxae plot noise-curve RUN does."))
    return "".join(parts)


def _rival(curve: Curve, at: int) -> list[str]:
    mse, ssim = np.mean(curve.mse[at]), np.mean(curve.ssim[at])
    peaks = [value for value in curve.psnr[at] if value is not None]
    psnr = float(np.mean(peaks)) if len(peaks) == len(curve.psnr[at]) else None
    return [f"{mse:.5f}", decibels(psnr), f"{ssim:.3f}"]


def latent_space(facts: Facts) -> str:
    """The scorecard beside PCA and published rows."""
    if not facts.scorecard:
        return text("Not scored: jaxae score RUN does.")
    published = PUBLISHED.get(facts.scorecard.about.dataset, {})
    notes = list(dict.fromkeys(["jaxae", *(where for _, where in published)]))
    rows = {("*jaxae", "jaxae"): facts.scorecard.ours}
    rows |= {(latent_scorecard.LABELS["pca"], ""): facts.scorecard.pca} | published
    keys = [key for key in SCORES if any(getattr(row, key) is not None for row in rows.values())]
    body = [
        [
            name + (f" [{notes.index(where)}]" if where in notes and published else ""),
            *(latent_scorecard.cell(row, key) for key in keys),
        ]
        for (name, where), row in rows.items()
    ]
    explained = (
        "".join(source(f"[{number}] {PROTOCOLS[where]}") for number, where in enumerate(notes))
        if published
        else ""
    )
    return (
        table(["", *(latent_scorecard.COLUMNS[key] for key in keys)], body)
        + source("From latent_scorecard.json; jaxae score prints more.")
        + explained
    )


def classes(facts: Facts) -> str:
    """The metrics of each class."""
    if not facts.evaluation.classes:
        return text("The data have no labels.")
    rows = [
        [name, *reconstruction.cells(each.quality), f"{100 * each.recall:.1f} %"]
        for name, each in facts.evaluation.classes.items()
    ]
    meaning = "Recall: share of the class whose clean latent's five nearest training neighbours vote for it."
    return table(["noisy input", *reconstruction.COLUMNS, "5-NN recall"], rows) + source(
        f"Recomputed. {meaning}"
    )


def figures(facts: Facts) -> str:
    """The figures, drawn anew."""
    drawn = [
        picture(draw(facts.run, facts.dataset), caption=caption, alt=caption)
        for draw, caption in FIGURES
    ]
    said = "Drawn anew."
    if facts.curve:
        drawn.append(
            picture(
                plots.noise_curve(facts.run, facts.dataset, measured=facts.curve),
                caption=CURVE,
                alt=CURVE,
            )
        )
        said = "Drawn anew; the curve over noise levels from noise_curve.json."
    return f'<div class="figures">{"".join(drawn)}</div>{source(said)}'


FIGURES: tuple[tuple[Callable[..., Figure], str], ...] = (
    (plots.reconstructions, "Test images: clean, noisy and denoised."),
    (plots.error_maps, "Where the pixels go wrong."),
    (plots.noise_robustness, "The same images at four strengths of noise."),
    (plots.latent_space, "All test images in the latent plane, and each class alone."),
    (
        plots.latent_grid,
        "What the decoder draws over the plane, and how many test images lie in each cell.",
    ),
    (plots.noise_drift, "Where noise pushes the latents."),
)
CURVE = "Quality at every noise level beside other methods, and under noise that it was never trained on."
