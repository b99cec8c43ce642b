"""Runs exported files without jaxae: python -I read_back.py FORMAT FOLDER INPUTS.npz OUTPUTS.npz.

INPUTS.npz has images and latents. OUTPUTS.npz gets what each file of that format makes of them.
stdout gets a line of JSON: file name → what it was run with.
"""

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""Takes and returns images f32[N, H, W, C] or latents f32[N, latent_dim]."""


class Loaded(NamedTuple):
    """An exported file, ready to run."""

    function: Function
    runtime: str
    """The package that runs it, and its version."""


class Layer(NamedTuple):
    """x ↦ activation(x @ weight.T + bias), in PyTorch's layout."""

    weight: np.ndarray
    bias: np.ndarray
    activation: str


def read_stablehlo(path: Path) -> Loaded:
    """Load a program, which JAX runs."""
    import jax

    program = jax.export.deserialize(bytearray(path.read_bytes()))

    def function(x: np.ndarray) -> np.ndarray:
        return np.asarray(program.call(x))

    return Loaded(function, f"jax {jax.__version__}")


def read_onnx(path: Path) -> Loaded:
    """Load a graph in onnxruntime or, if it is not installed, in the evaluator of onnx itself."""
    session: Any
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
        name = session.input_names[0]
        runtime = f"onnx {importlib.metadata.version('onnx')}, its reference evaluator"
    else:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        runtime = f"onnxruntime {onnxruntime.__version__}"

    def function(x: np.ndarray) -> np.ndarray:
        return session.run(None, {name: x})[0]

    return Loaded(function, runtime)


def read_safetensors(path: Path) -> Loaded:
    """Load weights in PyTorch's nn.Linear, or in NumPy if PyTorch is not installed."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict

    part = metadata["part"]
    image_shape = json.loads(metadata["image_shape"])

    layers: list[Layer] = []
    if part == "denoiser":
        layers += _half(tensors, "0.", metadata["latent_activation"])
        layers += _half(tensors, "1.", "sigmoid")
    elif part == "encoder":
        layers += _half(tensors, "", metadata["latent_activation"])
    else:
        layers += _half(tensors, "", "sigmoid")

    loaded = _in_torch(layers) if importlib.util.find_spec("torch") else _in_numpy(layers)

    def function(x: np.ndarray) -> np.ndarray:
        rows = loaded.function(x.reshape(len(x), -1))
        return rows if part == "encoder" else rows.reshape(len(x), *image_shape)

    return Loaded(function, loaded.runtime)


def _half(tensors: dict[str, np.ndarray], prefix: str, last_activation: str) -> list[Layer]:
    """Return the layers of the encoder or decoder; all but the last end with ReLU."""
    count = sum(name.startswith(prefix) for name in tensors) // 2
    layers = []

    for i in range(count):
        weight = tensors[f"{prefix}{2 * i}.weight"]
        bias = tensors[f"{prefix}{2 * i}.bias"]
        activation = last_activation if i == count - 1 else "relu"
        layers.append(Layer(weight, bias, activation))
    return layers


def _in_torch(layers: list[Layer]) -> Loaded:
    import torch
    from torch import nn

    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity}
    modules: list[nn.Module] = []

    for layer in layers:
        outputs, inputs = layer.weight.shape
        linear = nn.Linear(inputs, outputs)
        state = {"weight": torch.tensor(layer.weight), "bias": torch.tensor(layer.bias)}
        linear.load_state_dict(state, strict=True)
        modules += [linear, activations[layer.activation]()]

    model = nn.Sequential(*modules).eval()

    def function(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(x)).numpy()

    return Loaded(function, f"torch {torch.__version__}")


def _in_numpy(layers: list[Layer]) -> Loaded:
    def function(x: np.ndarray) -> np.ndarray:
        for layer in layers:
            x = x @ layer.weight.T + layer.bias
            if layer.activation == "relu":
                x = np.maximum(x, 0)
            elif layer.activation == "sigmoid":
                x = (1 + np.tanh(x / 2)) / 2
        return x

    return Loaded(function, f"numpy {np.__version__}")


READERS = {"stablehlo": read_stablehlo, "onnx": read_onnx, "safetensors": read_safetensors}


def main(file_format: str, folder: str, inputs: str, outputs: str) -> None:
    """Run all files of a format in a folder, as the module's first line says."""
    given = np.load(inputs)
    found: dict[str, np.ndarray] = {}
    runtimes: dict[str, str] = {}

    for path in sorted(Path(folder).glob(f"*.{file_format}")):
        loaded = READERS[file_format](path)
        takes = "latents" if path.name.startswith("decoder") else "images"
        found[path.name] = loaded.function(given[takes])
        runtimes[path.name] = loaded.runtime

    np.savez(outputs, allow_pickle=False, **found)

    imported = {name.partition(".")[0] for name in sys.modules}
    ours = sorted({"jaxae", "flax"} & imported)
    if ours:
        raise SystemExit(f"{ours} was imported: the files would not run alone")
    print(json.dumps(runtimes))


if __name__ == "__main__":
    main(*sys.argv[1:])
