"""Runs exported files as their users do, without jaxae: python -I read_back.py FORMAT FOLDER INPUTS.npz OUTPUTS.npz.

INPUTS.npz has images and latents. OUTPUTS.npz gets what each file of that format makes of them, and stdout a line of JSON: what
each was run with.
"""

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""From images f32[N, H, W, C] or latents f32[N, latent_dim] to the same."""


def read_stablehlo(path: Path) -> tuple[Function, str]:
    """The program, with weights.npz beside it where it takes them, and what runs it."""
    import jax

    program = jax.export.deserialize(bytearray(path.read_bytes()))
    weights = [dict(np.load(path.with_name("weights.npz")))] if "of_weights" in path.name else []
    return lambda x: np.asarray(program.call(*weights, x)), f"jax {jax.__version__}"


def read_onnx(path: Path) -> tuple[Function, str]:
    """The graph in onnxruntime or, where that is not installed, in the reference evaluator of onnx."""
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        session: Any = ReferenceEvaluator(str(path))
        name, runtime = (
            session.input_names[0],
            f"onnx {importlib.metadata.version('onnx')}, its reference evaluator",
        )
    else:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name, runtime = session.get_inputs()[0].name, f"onnxruntime {onnxruntime.__version__}"
    return lambda x: session.run(None, {name: x})[0], runtime


def read_safetensors(path: Path) -> tuple[Function, str]:
    """The weights in PyTorch's nn.Linear or, where PyTorch is not installed, in NumPy."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    part, image_shape = metadata["part"], json.loads(metadata["image_shape"])
    halves = ("0.", "1.") if part == "denoiser" else ("",)
    ends = {"encoder": [metadata["latent_activation"]], "decoder": ["sigmoid"]}
    ends["denoiser"] = ends["encoder"] + ends["decoder"]
    layers: list[tuple[np.ndarray, np.ndarray, str]] = []
    for prefix, end in zip(halves, ends[part], strict=True):
        count = sum(name.startswith(prefix) for name in tensors) // 2
        for i in range(count):
            weight, bias = (tensors[f"{prefix}{2 * i}.{each}"] for each in ("weight", "bias"))
            layers.append((weight, bias, end if i == count - 1 else "relu"))
    apply, runtime = _in_torch(layers) if importlib.util.find_spec("torch") else _in_numpy(layers)

    def function(x: np.ndarray) -> np.ndarray:
        y = apply(x.reshape(len(x), -1))
        return y if part == "encoder" else y.reshape(len(x), *image_shape)

    return function, runtime


def _in_torch(layers: list[tuple[np.ndarray, np.ndarray, str]]) -> tuple[Function, str]:
    import torch
    from torch import nn

    modules: list[nn.Module] = []
    for weight, bias, end in layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict(
            {"weight": torch.tensor(weight), "bias": torch.tensor(bias)}, strict=True
        )
        modules += [
            linear,
            {"relu": nn.ReLU(), "sigmoid": nn.Sigmoid(), "linear": nn.Identity()}[end],
        ]
    model = nn.Sequential(*modules).eval()

    def apply(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(x)).numpy()

    return apply, f"torch {torch.__version__}"


def _in_numpy(layers: list[tuple[np.ndarray, np.ndarray, str]]) -> tuple[Function, str]:
    def apply(x: np.ndarray) -> np.ndarray:
        for weight, bias, end in layers:
            x = x @ weight.T + bias
            x = (
                np.maximum(x, 0)
                if end == "relu"
                else (1 + np.tanh(x / 2)) / 2
                if end == "sigmoid"
                else x
            )
        return x

    return apply, f"numpy {np.__version__}"


READERS = {"stablehlo": read_stablehlo, "onnx": read_onnx, "safetensors": read_safetensors}


def main(kind: str, folder: str, inputs: str, outputs: str) -> None:
    """The command of the module's first line."""
    given, found, runtimes = dict(np.load(inputs)), {}, {}
    for path in sorted(Path(folder).glob(f"*.{kind}")):
        function, runtimes[path.name] = READERS[kind](path)
        found[path.name] = function(
            given["latents" if path.name.startswith("decoder") else "images"]
        )
    np.savez(outputs, allow_pickle=False, **found)
    if mine := {"jaxae", "flax"} & {name.partition(".")[0] for name in sys.modules}:
        raise SystemExit(f"{sorted(mine)} was imported: the files would not run alone")
    print(json.dumps(runtimes))


if __name__ == "__main__":
    main(*sys.argv[1:])
