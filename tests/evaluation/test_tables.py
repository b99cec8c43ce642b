import pytest

from jaxae.evaluation.latent_scorecard import LABELS
from jaxae.evaluation.records import LatentScores, Scorecard
from jaxae.evaluation.tables import decibels, markdown, spread, spread_table
from tests.helpers import ABOUT


def test_a_table_is_markdown_and_aligned():
    table = markdown(["", "MSE"], [["jaxae", "0.025"], ["a longer name", "1"]])
    assert table.splitlines() == [
        "|               |   MSE |",
        "|---------------|------:|",
        "| jaxae         | 0.025 |",
        "| a longer name |     1 |",
    ]


def test_a_name_with_a_bar_or_a_line_break_stays_in_its_cell():
    assert markdown(["", "a|b"], [["cat|dog\nbird", "1"]]).splitlines() == [
        "|               | a\\|b |",
        "|---------------|-----:|",
        "| cat\\|dog bird |    1 |",
    ]


def test_an_infinite_psnr_is_said():
    assert decibels(None) == "inf dB"
    assert decibels(16.094) == "16.09 dB"


def test_a_spread_is_the_mean_and_the_sample_deviation():
    pca = LatentScores(mse=0.5)
    results = [
        Scorecard(about=ABOUT, neighbours=10, ours=LatentScores(mse=mse), pca=pca)
        for mse in (1.0, 2.0, 6.0)
    ]
    summary = spread(results)
    assert list(summary.rows["ours"]) == ["mse"]
    assert summary.rows["ours"]["mse"].mean == 3
    assert summary.rows["ours"]["mse"].std == pytest.approx(7**0.5)
    assert "| mse | 3.00000 ± 2.64575 |    0.50000 ± 0.00000 |" in spread_table(summary, LABELS)
    assert "SYNTHETIC" in spread_table(summary, LABELS)
