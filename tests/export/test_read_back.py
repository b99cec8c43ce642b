"""Exported files are run without onnxruntime and PyTorch too; test_folder runs them with these."""

import importlib.util
import sys

import numpy as np
import pytest

from jaxae.export import read_back
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.onnx_graph import onnx_graph
from jaxae.export.safetensors_file import safetensors_file
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
@pytest.mark.parametrize("latent_activation", ["linear", "relu"])
def test_without_the_usual_runtime_another_computes_the_same(
    kind, latent_activation, tmp_path, monkeypatch
):
    pytest.importorskip(kind, reason=f"no {kind}: pip install -e '.[test]' brings it")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = run_with_statistics(
        widths=(16, 8), image_shape=(7, 5, 3), latent_activation=latent_activation
    )
    folded = fold_batch_norm(run)
    write = {"onnx": onnx_graph, "safetensors": safetensors_file}[kind]
    rng = np.random.default_rng(0)

    for part in PARTS:
        path = tmp_path / f"{part}.{kind}"
        path.write_bytes(write(folded, part, image_shape=(7, 5, 3)))

        loaded = read_back.READERS[kind](path)
        assert loaded.runtime.startswith({"onnx": "onnx ", "safetensors": "numpy "}[kind])
        given = rng.normal(0, 3, (9, 2)) if part == "decoder" else rng.random((9, 7, 5, 3))
        found = loaded.function(given.astype(np.float32))
        assert found.shape == ((9, 2) if part == "encoder" else (9, 7, 5, 3))
        expected = apply_layers(folded.layers(part), given.astype(np.float32).reshape(9, -1))
        np.testing.assert_allclose(found.reshape(9, -1), expected, rtol=0, atol=5e-6)
