"""PyTorch models that become runs: PyTorch itself says what they compute."""

import json
from pathlib import Path

import numpy as np
import pytest

import jaxae
from jaxae.cli import import_torch
from jaxae.config import Config
from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import fold_batch_norm
from jaxae.export.safetensors_file import safetensors_file
from tests.export.test_fold_batch_norm import run_with_statistics

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
)
save_file = pytest.importorskip(
    "safetensors.torch", reason="no safetensors: pip install -e '.[test]' brings it"
).save_file
from benchmarks.speed import torch_model, torch_peer  # noqa: E402 - they import torch


def imported(model, tmp_path: Path, **options) -> jaxae.inference.Run:
    """The run that the command makes of a PyTorch model, or of a file."""
    file = tmp_path / "theirs.safetensors"
    if isinstance(model, bytes):
        file.write_bytes(model)
    else:
        save_file(model.state_dict(), file)
    import_torch.main(file, run_dir=tmp_path / "run", **{"dataset": "synthetic", **options})
    return jaxae.load(tmp_path / "run-SYNTHETIC")


def agree(run, model, images: np.ndarray) -> None:
    rows = torch.tensor(images.reshape(len(images), -1))
    model.eval()
    with torch.no_grad():
        latents = model[0](rows).numpy()
        output = model(rows).numpy()

    np.testing.assert_allclose(jaxae.encode(run, images), latents, rtol=1e-5, atol=2e-5)
    found = jaxae.reconstruct(run, images).reshape(output.shape)
    np.testing.assert_allclose(found, output, rtol=0, atol=2e-5)
    assert np.ptp(latents, axis=0).min() > 1e-2  # the images count


@pytest.mark.parametrize("latent_activation", ["linear", "relu"])
def test_a_model_that_the_peer_has_trained_becomes_a_run_that_evaluates(
    dataset, tmp_path, capsys, latent_activation
):
    recipe = Config(
        dataset="synthetic", batch_size=50, latent_activation=latent_activation, learning_rate=3e-3
    )
    peer = torch_peer.Peer("tuned", recipe, dataset.train.images)
    for _ in range(2):
        peer.epoch()

    run = imported(peer.model, tmp_path)
    agree(run, peer.model, dataset.test.images.astype(np.float32) / 255)
    assert run.model.widths == recipe.widths
    assert run.model.latent_activation == latent_activation
    assert capsys.readouterr().out == f"{tmp_path}/run-SYNTHETIC\n"

    evaluation = jaxae.evaluate(run, dataset)
    noisy = jaxae.corrupt(dataset.test.images, std=0.25)
    with torch.no_grad():
        theirs = peer.model(torch.tensor(noisy.reshape(len(noisy), -1))).numpy()
    error = np.square(theirs - dataset.test.images.reshape(theirs.shape) / 255).mean()
    np.testing.assert_allclose(evaluation.noisy.mse, error, rtol=1e-4)


@pytest.mark.parametrize("latent_activation", ["linear", "relu"])
def test_what_jaxae_exports_comes_back(tmp_path, latent_activation):
    options = {
        "widths": (32, 8),
        "image_shape": (7, 5, 3),
        "latent_dim": 3,
        "latent_activation": latent_activation,
    }
    run = run_with_statistics(**options)
    exported = safetensors_file(fold_batch_norm(run), "denoiser", image_shape=(7, 5, 3))
    back = imported(exported, tmp_path)
    assert back.model.image_shape == (7, 5, 3)
    assert back.model.widths == (32, 8)
    assert back.model.latent_dim == 3

    images = np.random.default_rng(0).random((50, 7, 5, 3)).astype(np.float32)
    for function in (jaxae.encode, jaxae.reconstruct):
        np.testing.assert_allclose(function(back, images), function(run, images), atol=2e-6)


def test_biases_in_front_of_batch_norm_and_named_halves(tmp_path):
    nn = torch.nn
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Linear(30, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.1), nn.Linear(9, 2)
    )
    decoder = nn.Sequential(
        nn.Linear(2, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 30), nn.Sigmoid()
    )
    for half in (encoder, decoder):
        nn.init.normal_(half[0].bias)
        half.train()
        half(3 * torch.randn(500, half[0].in_features))  # moves the running statistics

    model = nn.Sequential()
    model.add_module("encoder", encoder)
    model.add_module("decoder", decoder)
    run = imported(model, tmp_path, image_shape=(5, 3, 2))
    agree(run, model, np.random.default_rng(0).random((50, 5, 3, 2)).astype(np.float32))


def test_the_run_says_where_it_comes_from_and_is_whole_or_not_there(tmp_path):
    model = torch_model.build(pixels=100)
    imported(model, tmp_path)
    environment = json.loads((tmp_path / "run-SYNTHETIC" / "environment.json").read_text())
    assert environment["imported_from"]["file"] == "theirs.safetensors"
    assert len(environment["imported_from"]["sha256"]) == 64

    with pytest.raises(InputError, match="File exists"):
        imported(model, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["run-SYNTHETIC", "theirs.safetensors"]


def without(tensors, *names):
    return {name: value for name, value in tensors.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: without(t, "0.1.running_mean"), "module 0.1 has"),
        (lambda t: without(t, "1.24.weight", "1.24.bias"), "don't mirror"),
        (lambda t: t | {"0.1.bias": torch.zeros(5)}, "module 0.1 has"),
        (lambda t: t | {"1.24.bias": torch.zeros(5)}, "module 1.24 has"),
        (
            lambda t: (
                without(t, *(name for name in t if name[0] == "1"))
                | {"1.1.num_batches_tracked": torch.zeros(1)}
            ),
            "no layers in 1",
        ),
        (lambda t: t | {"0.0.weight": t["0.0.weight"] * float("nan")}, "not finite"),
        (lambda t: {f"model.{name}": value for name, value in t.items()}, "tensors of model"),
        (lambda t: t | {"0.0.conv.weight": t["0.0.weight"].clone()}, "only linear layers"),
        (lambda t: t | {"0.0.weight": torch.zeros(512, 101)}, "no square image|don't mirror"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, change, words):
    tensors = change(torch_model.build(pixels=100).state_dict())
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=words) as refused:
        import_torch.main(tmp_path / "x.safetensors", run_dir=tmp_path / "run", dataset="synthetic")
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("content", [b"", b"no tensors", (2**40).to_bytes(8, "little")])
def test_what_is_no_safetensors_file_is_named(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.safetensors can't be read"):
        import_torch.main(tmp_path / "x.safetensors", run_dir=tmp_path / "run")
