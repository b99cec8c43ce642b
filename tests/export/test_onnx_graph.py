"""The ONNX graphs, run by onnxruntime, against the same layers in NumPy."""

import sys

import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.onnx_graph import onnx_graph
from jaxae.inference import load
from tests import ROOT
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics

OPTIONS = [
    {"widths": (32, 8)},
    {"widths": (32, 8), "latent_activation": "relu"},
    {"widths": (9,), "image_shape": (7, 5, 3), "latent_dim": 3},
]


def outputs(content: bytes, rows: np.ndarray) -> np.ndarray:
    """The outputs of onnxruntime."""
    runtime = pytest.importorskip(
        "onnxruntime", reason="no onnxruntime: pip install -e '.[test]' brings it"
    )
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("batch", [0, 1, 257])
def test_onnxruntime_computes_what_numpy_computes(options, batch):
    run = run_with_statistics(**options)
    folded = fold_batch_norm(run)
    shape = run.model.image_shape
    rng = np.random.default_rng(2)
    images = rng.random((batch, *shape)).astype(np.float32)
    latents = rng.normal(0, 3, (batch, run.model.latent_dim)).astype(np.float32)

    for part in PARTS:
        given = latents if part == "decoder" else images
        found = outputs(onnx_graph(folded, part, image_shape=shape), given)
        expected = apply_layers(folded.layers(part), given.reshape(batch, np.prod(given.shape[1:])))
        assert found.shape == (latents.shape if part == "encoder" else images.shape)
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=5e-6)


def test_the_released_runs_graph():
    run = load(ROOT / "checkpoints" / "released")
    folded = fold_batch_norm(run)
    images = np.random.default_rng(0).random((50, 28, 28, 1)).astype(np.float32)
    found = outputs(onnx_graph(folded, "denoiser", image_shape=(28, 28, 1)), images)
    expected = apply_layers(folded.layers("denoiser"), images.reshape(50, -1))
    np.testing.assert_allclose(found.reshape(50, -1), expected, atol=1e-5)


def test_the_graph_is_of_opset_17_and_standard_operators():
    onnx = pytest.importorskip("onnx")
    folded = fold_batch_norm(run_with_statistics(widths=(8,)))
    model = onnx.load_from_string(onnx_graph(folded, "denoiser", image_shape=(28, 28, 1)))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    assert {node.op_type for node in model.graph.node} == {"Reshape", "Gemm", "Relu", "Sigmoid"}


def test_without_onnx_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    folded = fold_batch_norm(run_with_statistics(widths=(8,)))
    with pytest.raises(InputError, match="pip install onnx, or"):
        onnx_graph(folded, "encoder", image_shape=(28, 28, 1))
