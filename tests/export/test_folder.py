"""RUN/export: every file is run in another process and compared, and the folder is whole or not there."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxae.data.split import split
from jaxae.errors import InputError
from jaxae.export import folder
from jaxae.export.fold_batch_norm import FoldedModel
from jaxae.export.folder import Format, export_run
from jaxae.export.model_card import model_card
from jaxae.export.onnx_graph import onnx_graph
from jaxae.inference import FEW
from tests.export.test_fold_batch_norm import run_with_statistics

for package in ("onnx", "safetensors", "flatbuffers"):
    pytest.importorskip(package, reason=f"no {package}: pip install -e '.[test]' brings it")
FORMATS: tuple[Format, ...] = ("stablehlo", "onnx", "safetensors")
IMAGES = np.random.default_rng(4).random((FEW, 7, 5, 3)).astype(np.float32)


def export(run, place, *, formats=FORMATS):
    card = "The card of {} files".format
    return export_run(
        run,
        place,
        formats=formats,
        images=IMAGES,
        about={"data": "X"},
        card=lambda x: card(len(x["files"])),
    )


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


@pytest.fixture(scope="module")
def run():
    return run_with_statistics(widths=(16, 8), image_shape=(7, 5, 3), latent_activation="relu")


def test_the_manifest_has_the_digest_and_the_difference_of_each_file(run, tmp_path):
    manifest = export(run, tmp_path / "export")
    there = contents(tmp_path / "export")
    assert json.loads(there.pop("manifest.json")) == manifest
    assert there.keys() == manifest["files"].keys()
    for name, content in there.items():
        assert manifest["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert manifest["files"][name]["bytes"] == len(content)
    compared = {name: each for name, each in manifest["files"].items() if "in" in each}
    assert there.keys() - compared.keys() == {"README.md", "weights.npz"}
    assert all(each["largest_difference"] < 5e-6 for each in compared.values())
    assert compared["denoiser.of_weights.stablehlo"]["largest_difference"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize("damage", ["one bias", "bytes"])
def test_a_wrong_file_is_not_left_behind_and_the_old_export_stays(
    run, tmp_path, monkeypatch, damage
):
    export(run, tmp_path / "export", formats=("safetensors",))
    before = contents(tmp_path / "export")

    def wrong(folded, part, *, image_shape):
        if damage == "bytes":
            return b"no graph"
        last = folded.decoder[-1]
        last = last._replace(
            bias=last.bias + np.float32(1e-3) * (np.arange(105) == 50)
        )  # of one pixel
        return onnx_graph(
            FoldedModel(folded.encoder, (*folded.decoder[:-1], last)), part, image_shape=image_shape
        )

    monkeypatch.setattr(folder, "onnx_graph", wrong)
    words = (
        "decoder.onnx computes something else"
        if damage == "one bias"
        else "onnx files can't be read back"
    )
    with pytest.raises(InputError, match=words):
        export(run, tmp_path / "export", formats=("onnx",))
    assert contents(tmp_path / "export") == before
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_an_export_is_replaced_and_a_strangers_folders_and_files_are_kept(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr(folder, "_compare", lambda *_: {})
    strangers = ["export.old.tmp", "export.tmp"]
    for name in strangers:
        (tmp_path / name).mkdir()
    export(run, tmp_path / "export", formats=("safetensors",))
    export(run, tmp_path / "export", formats=("safetensors",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", *strangers]
    (tmp_path / "export" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes.txt, which no export wrote"):
        export(run, tmp_path / "export", formats=("safetensors",))
    assert (tmp_path / "export" / "notes.txt").read_text() == "mine"


def test_the_snippets_of_the_card_run_in_the_folder(run, tmp_path):
    pytest.importorskip(
        "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
    )
    images = np.random.default_rng(0).integers(0, 256, (60, 7, 5, 3), np.uint8)
    data = split(
        {"images": images}, name="x", title="pictures", class_names=(), shares=(0.8, 0.1, 0.1)
    )

    def card(manifest):
        return model_card(run, data, manifest, None)

    about = {"split": "40 images"}
    export_run(run, tmp_path / "export", formats=FORMATS, images=IMAGES, about=about, card=card)
    text = (tmp_path / "export" / "README.md").read_text()
    snippets = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    assert [
        name
        for name in ("from jax", "import onnxruntime", "import torch")
        for each in snippets
        if name in each
    ] == [
        "from jax",
        "import onnxruntime",
        "import torch",
    ]
    for snippet in snippets:
        script = (
            f"{snippet}\nassert tuple(denoised.shape) in ((5, 7, 5, 3), (5, 105)), denoised.shape"
        )
        command = [sys.executable, "-I", "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path / "export", capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
