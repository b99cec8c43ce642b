"""RUN/export: each file is run in another process and compared; the folder is whole or absent."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from jaxae.data.dataset import Dataset
from jaxae.data.split import split
from jaxae.errors import InputError
from jaxae.evaluation.reconstruction import evaluate
from jaxae.export import folder
from jaxae.export.fold_batch_norm import FoldedModel
from jaxae.export.folder import Format, export_run
from jaxae.export.onnx_graph import onnx_graph
from tests.export.test_fold_batch_norm import run_with_statistics

for package in ("onnx", "safetensors", "flatbuffers"):
    pytest.importorskip(package, reason=f"no {package}: pip install -e '.[test]' brings it")
FORMATS: tuple[Format, ...] = ("stablehlo", "onnx", "safetensors")


@pytest.fixture(scope="module")
def run():
    return run_with_statistics(widths=(16, 8), image_shape=(7, 5, 3), latent_activation="relu")


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    images = np.random.default_rng(4).integers(0, 256, (60, 7, 5, 3), np.uint8)
    arrays = {"train_images": images[:20], "test_images": images[20:]}
    return split(arrays, name="synthetic", title="pictures", class_names=())


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_the_manifest_has_the_digest_and_the_difference_of_each_file(run, pictures, tmp_path):
    place = tmp_path / "export"
    manifest = export_run(run, pictures, place, formats=FORMATS, evaluation=None)
    there = contents(place)
    assert json.loads(there.pop("manifest.json")) == asdict(manifest)
    assert manifest.about.data_sha256 == pictures.digest
    assert there.keys() == manifest.files.keys()
    for name, content in there.items():
        assert manifest.files[name].sha256 == hashlib.sha256(content).hexdigest()
        assert manifest.files[name].bytes == len(content)

    compared = {name: file.comparison for name, file in manifest.files.items() if file.comparison}
    assert there.keys() - compared.keys() == {"README.md"}
    assert len(compared) == 9
    assert all(each.largest_difference < 5e-6 for each in compared.values())
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize("damage", ["one bias", "bytes"])
def test_a_wrong_file_is_not_left_behind_and_the_old_export_stays(
    run, pictures, tmp_path, monkeypatch, damage
):
    place = tmp_path / "export"
    with monkeypatch.context() as patch:
        patch.setattr(folder, "_compare", lambda *_: {})
        export_run(run, pictures, place, formats=("safetensors",), evaluation=None)
    before = contents(place)

    def wrong(folded, part, *, image_shape):
        if damage == "bytes":
            return b"no graph"
        last = folded.decoder[-1]
        one_pixel = np.float32(1e-3) * (np.arange(105) == 50)
        decoder = (*folded.decoder[:-1], last._replace(bias=last.bias + one_pixel))
        return onnx_graph(FoldedModel(folded.encoder, decoder), part, image_shape=image_shape)

    monkeypatch.setattr(folder, "onnx_graph", wrong)
    words = {
        "one bias": "decoder.onnx computes something else",
        "bytes": r"onnx files can't be read back \(\S*(Error|Invalid)",  # a traceback's last line
    }
    with pytest.raises(InputError, match=words[damage]):
        export_run(run, pictures, place, formats=("onnx",), evaluation=None)
    assert contents(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_an_export_is_replaced_and_a_strangers_folders_and_files_are_kept(
    run, pictures, tmp_path, monkeypatch
):
    def export():
        export_run(run, pictures, place, formats=("safetensors",), evaluation=None)

    monkeypatch.setattr(folder, "_compare", lambda *_: {})
    place = tmp_path / "export"
    strangers = ["export.old.tmp", "export.tmp"]
    for name in strangers:
        (tmp_path / name).mkdir()
    export()
    export()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", *strangers]

    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes.txt, which no export wrote"):
        export()
    assert (place / "notes.txt").read_text() == "mine"


def test_the_card_has_the_metrics_of_the_checkpoint_alone(run, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_compare", lambda *_: {})
    evaluation = evaluate(run, pictures)
    for epoch, measured in ((run.epoch, True), (run.epoch + 1, False)):
        later = run._replace(epoch=epoch)
        export_run(later, pictures, tmp_path / "export", formats=FORMATS, evaluation=evaluation)
        card = (tmp_path / "export" / "README.md").read_text()
        assert (f"{evaluation.noisy.mse:.5f}" in card) == measured
        assert ("Not measured" in card) == (not measured)


def test_the_snippets_of_the_card_run_in_the_folder(run, pictures, tmp_path):
    pytest.importorskip(
        "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
    )
    place = tmp_path / "export"
    export_run(run, pictures, place, formats=FORMATS, evaluation=None)
    card = (place / "README.md").read_text()
    snippets = [block.partition("```")[0] for block in card.split("```python\n")[1:]]

    imports = ("from jax", "import onnxruntime", "import torch")
    assert len(snippets) == len(imports)
    for words, snippet in zip(imports, snippets, strict=True):
        assert words in snippet
        check = "assert tuple(denoised.shape) in ((5, 7, 5, 3), (5, 105)), denoised.shape"
        command = [sys.executable, "-I", "-c", f"{snippet}\n{check}"]
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
