from jaxae.evaluation.tables import decibels, markdown


def test_a_table_is_markdown_and_aligned():
    table = markdown(["", "MSE"], [["jaxae", "0.025"], ["a longer name", "1"]])
    assert table.splitlines() == [
        "|               |   MSE |",
        "|---------------|------:|",
        "| jaxae         | 0.025 |",
        "| a longer name |     1 |",
    ]


def test_an_infinite_psnr_is_said():
    assert decibels(None) == "inf dB"
    assert decibels(16.094) == "16.09 dB"
