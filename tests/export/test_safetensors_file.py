"""The safetensors files: read by PyTorch where it is installed, and by safetensors itself."""

import itertools
import json
import sys

import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.safetensors_file import safetensors_file
from jaxae.inference import load
from tests import ROOT
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics


def half(nn, widths, *end):
    """A half of the model as a user of PyTorch writes it."""
    modules = [
        module for sizes in itertools.pairwise(widths) for module in (nn.Linear(*sizes), nn.ReLU())
    ]
    return nn.Sequential(*modules[:-1], *end)


@pytest.mark.parametrize("latent_activation", ["linear", "relu"])
def test_pytorch_loads_them_strictly_and_computes_the_same(latent_activation):
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
    )
    read = pytest.importorskip("safetensors.torch").load
    run = run_with_statistics(
        widths=(32, 8), latent_activation=latent_activation, image_shape=(7, 5, 3)
    )
    folded = fold_batch_norm(run)
    nn = torch.nn
    rng = np.random.default_rng(3)
    rows = {
        "encoder": rng.random((40, 105)),
        "decoder": rng.normal(0, 3, (40, 2)),
        "denoiser": rng.random((40, 105)),
    }
    end = [nn.ReLU()] if latent_activation == "relu" else []
    encoder = half(nn, [105, 32, 8, 2], *end)
    decoder = half(nn, [2, 8, 32, 105], nn.Sigmoid())
    models = {"encoder": encoder, "decoder": decoder, "denoiser": nn.Sequential(encoder, decoder)}

    for part in PARTS:
        state = read(safetensors_file(folded, part, image_shape=(7, 5, 3)))
        models[part].load_state_dict(state, strict=True)
        with torch.no_grad():
            found = models[part](torch.tensor(rows[part], dtype=torch.float32)).numpy()
        expected = apply_layers(folded.layers(part), rows[part].astype(np.float32))
        # Sums of up to 105 float32 terms.
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_pytorchs_latents_of_the_released_run():
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
    )
    read = pytest.importorskip("safetensors.torch").load
    folded = fold_batch_norm(load(ROOT / "checkpoints" / "released"))
    encoder = half(torch.nn, [784, 512, 256, 128, 64, 32, 16, 8, 4, 2])
    state = read(safetensors_file(folded, "encoder", image_shape=(28, 28, 1)))
    encoder.load_state_dict(state, strict=True)

    images = np.random.default_rng(0).random((50, 784)).astype(np.float32)
    with torch.no_grad():
        found = encoder(torch.tensor(images)).numpy()
    expected = apply_layers(folded.encoder, images)
    # 2.1e-6 at most on the 10,000 test images.
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6)


def test_metadata_say_what_the_weights_do_not():
    load_tensors = pytest.importorskip("safetensors.numpy").load
    run = run_with_statistics(widths=(9,), image_shape=(7, 5, 3), latent_activation="relu")
    content = safetensors_file(fold_batch_norm(run), "decoder", image_shape=(7, 5, 3))
    shapes = {name: tensor.shape for name, tensor in load_tensors(content).items()}
    assert shapes == {"0.weight": (9, 2), "0.bias": (9,), "2.weight": (105, 9), "2.bias": (105,)}

    length = int.from_bytes(content[:8], "little")  # of the JSON that follows, by the format
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert metadata["format"] == "pt"
    assert metadata["part"] == "decoder"
    assert json.loads(metadata["image_shape"]) == [7, 5, 3]
    assert metadata["latent_activation"] == "relu"


def test_without_safetensors_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    folded = fold_batch_norm(run_with_statistics(widths=(8,)))
    with pytest.raises(InputError, match="pip install safetensors, or"):
        safetensors_file(folded, "encoder", image_shape=(28, 28, 1))
