import json
from pathlib import Path

import pytest

from jaxae.runs import metrics_log


def rows(run_dir: Path) -> list[int]:
    return [
        json.loads(line)["epoch"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()
    ]


@pytest.mark.parametrize("tail", ["", '{"epoch": 5, "tr', "\x00\x00", '{"epoch": 4}\n', "7\n"])
def test_metrics_are_brought_back_to_the_resumed_epoch(tmp_path, tail):
    for epoch in range(1, 5):
        metrics_log.append(tmp_path, {"epoch": epoch, "loss": 0.1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(tail)
    metrics_log.rewind(tmp_path, 4)
    assert rows(tmp_path) == [1, 2, 3, 4]
    metrics_log.rewind(tmp_path, 2)
    assert rows(tmp_path) == [1, 2]


def test_a_damaged_row_costs_that_row_alone_and_is_told(tmp_path):
    for epoch in range(1, 6):
        metrics_log.append(tmp_path, {"epoch": epoch})
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"epoch": \xb3}\n'
    path.write_bytes(b"".join(lines))
    (told,) = metrics_log.rewind(tmp_path, 5)
    assert "lost 1 of 5" in told
    assert rows(tmp_path) == [1, 2, 4, 5]
    metrics_log.append(tmp_path, {"epoch": 6})
    assert len(metrics_log.rewind(tmp_path, 6)) == 1
    assert rows(tmp_path) == [1, 2, 4, 5, 6]


def test_metrics_may_be_missing(tmp_path):
    metrics_log.rewind(tmp_path, 0)
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"epoch": "2"}',
        '{"epoch": [2]}',
        '{"epoch": true}',
        '{"epoch": 0}',
        '{"epoch": 2.5}',
        '{"epoch": 2147483648}',
        '{"epoch": 2, "train_loss": 9007199254740993}',
        "[1]",
        '{"epoch": 2, "train_loss": "x"}',
    ],
)
def test_rows_that_no_run_writes_are_passed_over(line, tmp_path):
    metrics_log.append(tmp_path, {"epoch": 1, "train_loss": 0.5})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(line + "\n")
    assert metrics_log.read(tmp_path) == [{"epoch": 1, "train_loss": 0.5}]
