"""The scorecard as a person reads it; its numbers have tests where they are computed."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.neighbors import KNeighborsClassifier

from jaxae.cli import score
from jaxae.cli.evaluate import Members
from jaxae.data.dataset import sample
from jaxae.errors import InputError
from jaxae.evaluation import latent_scorecard
from jaxae.evaluation.latent_scorecard import MOOR, PROTOCOLS, SAINBURG, table
from jaxae.evaluation.records import LatentScores, Scorecard
from jaxae.inference import encode, reconstruct
from tests.helpers import ABOUT, untrained_run

SCORES = Scorecard(
    about=replace(ABOUT, dataset="fashion_mnist"),
    neighbours=200,
    ours=LatentScores(mse=0.0123456, knn_5=0.7654321),
    pca=LatentScores(mse=0.5),
)


def cells(lines: list[str], name: str) -> list[str]:
    """Return the cells of the row that begins with this name."""
    (row,) = (line for line in lines if line.startswith(f"| {name} "))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_our_rows_come_first_and_published_ones_name_their_protocols():
    lines = table(SCORES).splitlines()
    assert cells(lines, "jaxae [0]") == ["0.01235", "", "", "0.7654", *[""] * 10]
    assert cells(lines, "PCA-2, computed here") == ["0.50000", *[""] * 13]
    assert cells(lines, "PCA [1]")[0] == "0.04610"
    assert cells(lines, "PCA [2]")[6:10] == ["0.9170", "0.9680", "0.0570", ""]
    notes = [line for line in lines if re.match(r"\[\d\] ", line)]
    assert notes == [
        f"[{number}] {PROTOCOLS[source]}" for number, source in enumerate(("jaxae", SAINBURG, MOOR))
    ]


def test_other_data_have_no_published_rows_and_no_notes():
    lines = table(replace(SCORES, about=ABOUT)).splitlines()
    assert cells(lines, "jaxae")[0] == "0.01235"
    assert not [line for line in lines if "[" in line]


def test_of_a_large_set_a_part_is_scored_and_the_table_says_so(dataset, monkeypatch):
    monkeypatch.setattr(latent_scorecard, "TESTED", 50)
    run = untrained_run(widths=(8, 4))
    scores = latent_scorecard.score_latent(run, dataset)
    assert scores.about.split == "test, 50 of 103 images, clean"
    monkeypatch.undo()
    part = dataset._replace(test=dataset.test.take(sample(103, 50)))
    whole = latent_scorecard.score_latent(run, part)
    assert whole.about.split == "test, 50 images, clean"
    assert whole.rows() == scores.rows()
    assert "50 of 103 images" in table(scores)


def test_of_a_small_set_what_can_be_computed_is_and_the_table_says_what_needs_more(dataset):
    run = untrained_run(widths=(8, 4))
    few = dataset._replace(test=dataset.test.take(np.arange(20)))
    scores = latent_scorecard.score_latent(run, few)
    images = few.test.images / np.float32(255)

    error = np.square(reconstruct(run, images) - images).mean()
    assert scores.ours.mse == pytest.approx(error, rel=1e-4)
    assert scores.ours.knn_5 is not None
    assert scores.neighbours == 0
    assert scores.ours.trust_k5 is scores.ours.l_cont is scores.ours.silhouette is None
    missing = "trust k=5, ℓ-Trust, ℓ-Cont, ℓ-MRRE, KL0.01, KL0.1, KL1, silhouette, evenness"
    assert f"{missing} need" in table(scores)
    assert "more than 20 test images" in table(scores)

    enough = dataset._replace(test=dataset.test.take(np.arange(21)))
    assert latent_scorecard.score_latent(run, enough).ours.trust_k5 is not None


def test_errors_and_neighbours_are_those_that_numpy_and_scikit_learn_find(dataset):
    run = untrained_run(widths=(8, 4))
    train, clean = (part.images / np.float32(255) for part in (dataset.train, dataset.test))
    pca = PCA(2).fit(train.reshape(len(train), -1))
    outputs = {
        "ours": (encode(run, train), encode(run, clean), reconstruct(run, clean)),
        "pca": (
            *(pca.transform(images.reshape(len(images), -1)) for images in (train, clean)),
            pca.inverse_transform(pca.transform(clean.reshape(len(clean), -1))).reshape(
                clean.shape
            ),
        ),
    }
    rows = latent_scorecard.score_latent(run, dataset).rows()
    assert list(rows) == list(outputs)
    for name, (references, latents, output) in outputs.items():
        squares = mean_squared_error(clean.ravel(), output.ravel())
        assert rows[name].mse == pytest.approx(squares, rel=1e-4)
        absolute = mean_absolute_error(clean.ravel(), output.ravel())
        assert rows[name].mae == pytest.approx(absolute, rel=1e-4)
        for k in (1, 5, 10):
            score = (
                KNeighborsClassifier(k)
                .fit(references, dataset.train.labels)
                .score(latents, dataset.test.labels)
            )
            assert abs(getattr(rows[name], f"knn_{k}") - score) < 0.02, (
                "two of 103 images, whose neighbours are as far"
            )
        trust = trustworthiness(clean.reshape(len(clean), -1), latents, n_neighbors=5)
        # An untrained model has points in one place.
        assert rows[name].trust_k5 == pytest.approx(trust, abs=0.01)


def test_of_many_members_pca_is_scored_once(dataset, monkeypatch):
    run = untrained_run(widths=(8, 4))
    written: list[Any] = []
    fitted = Mock(side_effect=latent_scorecard.fit_pca)
    monkeypatch.setattr(latent_scorecard, "fit_pca", fitted)
    members = Members({Path(str(seed)): run for seed in range(3)}, dataset)
    monkeypatch.setattr(score, "load_members", lambda source: members)

    def keep(path: Path, result: Any) -> list[InputError]:
        written.append(result)
        return []

    monkeypatch.setattr(score, "try_to_save", keep)
    score.main(SimpleNamespace(run=Path("population")))  # type: ignore[arg-type]
    assert fitted.call_count == 1
    *results, summary = written
    assert results == [latent_scorecard.score_latent(run, dataset)] * 3
    assert summary.members == 3
