"""The sections of a report about what a run can do: curves, metrics, figures. Facts in, HTML out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxae.evaluation import latent_scorecard, plots, reconstruction
from jaxae.evaluation.latent_scorecard import PROTOCOLS, PUBLISHED
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
    "kl_0.1",
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
    named = {
        ("*" if name.startswith("jaxae") else "") + name: row
        for name, row in facts.evaluation["rows"].items()
    }
    parts = [
        table(
            ["", *reconstruction.COLUMNS],
            [[name, *reconstruction.cells(row)] for name, row in named.items()],
        )
    ]
    parts.append(
        source(
            f"Recomputed: {facts.evaluation['split']}, noise {facts.evaluation['noise_factor']:g}; mean over all images."
        )
    )
    if facts.curve:
        levels = facts.curve["levels"]
        at = int(np.argmin(np.abs(np.subtract(levels, facts.evaluation["noise_factor"]))))
        rows = [
            [("*" if name == "jaxae" else "") + name, *_rival(row, at)]
            for name, row in facts.curve["rows"].items()
        ]
        parts.append(
            text(f"Beside other methods at noise {levels[at]:g}", kind="h4")
            + table(["", "MSE", "PSNR", "SSIM"], rows)
        )
        parts.append(
            source(
                f"From noise_curve.json: {facts.curve['split']}, means of {facts.curve['draws']} noise draws."
            )
        )
    else:
        parts.append(source("Not measured beside other methods: jaxae plot noise-curve RUN does."))
    return "".join(parts)


def _rival(row: dict[str, Any], at: int) -> list[str]:
    mse, psnr, ssim = (float(np.mean(row[metric][at])) for metric in ("mse", "psnr_db", "ssim"))
    return [f"{mse:.5f}", decibels(psnr), f"{ssim:.3f}"]


def latent_space(facts: Facts) -> str:
    """The scorecard beside PCA and published rows."""
    if not facts.scorecard:
        return text("Not scored: jaxae score RUN does.")
    published = PUBLISHED.get(facts.scorecard["dataset"], {})
    notes = list(dict.fromkeys(["jaxae", *(where for _, where in published)]))
    rows = {("*jaxae", "jaxae"): facts.scorecard["rows"]["jaxae"]}
    rows |= {
        (name, ""): row for name, row in facts.scorecard["rows"].items() if name != "jaxae"
    } | published
    keys = [key for key in SCORES if any(key in row for row in rows.values())]
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
    if not facts.evaluation["classes"]:
        return text("The data have no labels.")
    recall = f"recall_{reconstruction.NEIGHBOURS}nn"
    rows = [
        [name, *reconstruction.cells(row), f"{100 * row[recall]:.1f} %"]
        for name, row in facts.evaluation["classes"].items()
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
