import json
import struct
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from jaxae.errors import InputError
from jaxae.runs.metrics_log import SCALARS
from jaxae.runs.tensorboard import Events

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")


def values(run_dir: Path) -> list[tuple[str, int, float]]:
    """(tag, step, number) in RUN/tensorboard, in order. A record: u64 length, u32 CRC, that many
    bytes, u32 CRC (TFRecord).
    """
    (path,) = (run_dir / "tensorboard").iterdir()
    raw, found = path.read_bytes(), []
    while raw:
        (size,) = struct.unpack("<Q", raw[:8])
        event = event_pb2.Event.FromString(raw[12 : 12 + size])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        raw = raw[16 + size :]
    return found


def write_rows(run_dir: Path, losses: list[float]) -> None:
    names = [name for name in SCALARS if name != "validation_loss"]
    rows = [
        {"epoch": k, "validation_loss": loss, **dict.fromkeys(names, 0.5)}
        for k, loss in enumerate(losses, 1)
    ]
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_resumed_run_has_no_row_twice(tmp_path):
    events = Events(tmp_path)
    for losses in ([4.0], [4.0, 3.0], [4.0, 3.0, 2.0]):
        write_rows(tmp_path, losses)
        events.update()
    events.close()
    assert [value for value in values(tmp_path) if value[0] == "loss/validation"] == [
        ("loss/validation", epoch, loss) for epoch, loss in ((1, 4.0), (2, 3.0), (3, 2.0))
    ]
    write_rows(tmp_path, [4.0, 3.0, 2.5, 1.0])  # the third epoch was cut and trained again
    again = Events(tmp_path)
    again.update()
    again.add_figure("map", Figure(figsize=(1, 1)))
    again.close()
    found = values(tmp_path)
    assert [step for tag, step, _ in found if tag == "loss/validation"] == [1, 2, 3, 4]
    assert [number for tag, _, number in found if tag == "loss/validation"] == [4.0, 3.0, 2.5, 1.0]
    assert {tag for tag, _, _ in found} == {*SCALARS.values(), "figures/map"}
    assert found[-1][:2] == ("figures/map", 4)


def test_without_tensorboardx_one_line_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match="pip install tensorboardX"):
        Events(tmp_path)
