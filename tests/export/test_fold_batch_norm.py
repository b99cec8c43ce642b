"""The folded layers, computed by NumPy in float64, against the model as jaxae applies it."""

import functools

import jax
import numpy as np
import pytest

from jaxae.config import Config
from jaxae.core.model import Autoencoder
from jaxae.core.rng import root_key
from jaxae.core.state import init_variables
from jaxae.export.fold_batch_norm import DenseLayer, fold_batch_norm
from jaxae.inference import Run, decode, encode, load, reconstruct
from tests import ROOT

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def apply_layers(layers: tuple[DenseLayer, ...], rows: np.ndarray) -> np.ndarray:
    """float64[B, in] → float64[B, out]."""
    for layer in layers:
        rows = ACTIVATIONS[layer.activation](rows @ layer.kernel.astype(np.float64) + layer.bias)
    return rows


def run_with_statistics(**options) -> Run:
    """An untrained model with BatchNorm statistics, scales and offsets that have an effect."""
    model = Autoencoder(**options)
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        name = path[-1].key
        if name in ("var", "scale"):
            values = rng.uniform(0.2, 2.0, leaf.shape)
        else:
            spread = leaf.shape[0] ** -0.5 if name == "kernel" else 0.3
            values = rng.normal(0, spread, leaf.shape)
        return np.asarray(values, np.float32)

    shapes = jax.eval_shape(functools.partial(init_variables, model=model), root_key(0))
    variables = jax.tree_util.tree_map_with_path(draw, shapes)
    return Run(Config(dataset="synthetic", image_shape=model.image_shape), model, variables, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"widths": (32, 8)},
        {"widths": (32, 8), "latent_activation": "relu"},
        {"widths": (9,), "image_shape": (7, 5, 3), "latent_dim": 3},
    ],
)
def test_folded_layers_compute_what_the_model_computes(options):
    run = run_with_statistics(**options)
    folded = fold_batch_norm(run)
    rng = np.random.default_rng(1)
    images = rng.random((50, *run.model.image_shape)).astype(np.float32)
    tolerance = 1e-5  # float32 sums of up to 784 terms

    latents = apply_layers(folded.encoder, images.reshape(50, -1))
    np.testing.assert_allclose(encode(run, images), latents, atol=tolerance)

    found = reconstruct(run, images).reshape(50, -1)
    np.testing.assert_allclose(found, apply_layers(folded.decoder, latents), atol=tolerance)

    somewhere = rng.normal(0, 3, latents.shape).astype(np.float32)
    found = decode(run, somewhere).reshape(50, -1)
    np.testing.assert_allclose(found, apply_layers(folded.decoder, somewhere), atol=tolerance)


def test_layers_have_the_shapes_and_activations_of_the_model():
    plain, relu = (
        fold_batch_norm(run_with_statistics(widths=(32, 8), latent_activation=kind))
        for kind in ("linear", "relu")
    )
    assert [layer.kernel.shape for layer in plain.encoder] == [(784, 32), (32, 8), (8, 2)]
    assert [layer.kernel.shape for layer in plain.decoder] == [(2, 8), (8, 32), (32, 784)]
    assert [layer.activation for layer in plain.encoder] == ["relu", "relu", "linear"]
    assert [layer.activation for layer in relu.encoder] == ["relu", "relu", "relu"]
    assert [layer.activation for layer in relu.decoder] == ["relu", "relu", "sigmoid"]
    assert {array.dtype for layer in plain.encoder + relu.decoder for array in layer[:2]} == {
        np.dtype(np.float32)
    }


def test_the_released_run_is_folded_to_the_same_function():
    run = load(ROOT / "checkpoints" / "released")
    folded = fold_batch_norm(run)
    images = np.random.default_rng(0).random((50, 28, 28)).astype(np.float32)

    latents = apply_layers(folded.encoder, images.reshape(50, -1))
    np.testing.assert_allclose(encode(run, images), latents, atol=1e-4)
    found = reconstruct(run, images).reshape(50, -1)
    np.testing.assert_allclose(found, apply_layers(folded.decoder, latents), atol=1e-4)
