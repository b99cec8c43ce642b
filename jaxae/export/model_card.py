"""README.md of RUN/export, a model card in Markdown.

It has the data, the recipe, the metrics, the limits, and how each file is used.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from jaxae.data.dataset import Dataset
from jaxae.evaluation.reconstruction import table
from jaxae.evaluation.records import Evaluation
from jaxae.evaluation.tables import markdown
from jaxae.inference import Run


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far a file's outputs are from jaxae's, and the package that ran it."""

    largest_difference: float
    mean_difference: float
    runtime: str


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file of the export."""

    bytes: int
    sha256: str
    comparison: Comparison | None
    """None for the card."""


def model_card(
    run: Run,
    dataset: Dataset,
    files: Mapping[str, ExportedFile],
    *,
    compared_on: str,
    evaluation: Evaluation | None,
) -> str:
    """Return the card. files: by name. compared_on: the images they were compared on, in words."""
    model = run.model
    numbers = {1: "One number", 2: "Two numbers"}.get(
        model.latent_dim, f"{model.latent_dim} numbers"
    )
    shape = ", ".join(str(size) for size in model.image_shape)
    train, validation, test = (
        f"{len(part.images):,}" for part in (dataset.train, dataset.validation, dataset.test)
    )

    sections = [
        f"# A denoising autoencoder of {dataset.title}",
        f"It sends an image through {numbers.lower()} and draws it again without its noise. "
        f"Images are f32[N, {shape}]\nin [0, 1] (height, width, channels), "
        f"latents f32[N, {model.latent_dim}]. Weights: epoch {run.epoch}.",
        "## Files",
        _table_of_files(files),
        f"Each was run in a process without jaxae on {compared_on}. The difference is the largest "
        "from jaxae's numbers.\nBatchNorm is folded into the linear layers. "
        "`manifest.json` has the SHA-256 of all files.",
        *_snippets(run, files),
        "## Data",
        f"{dataset.title}: {train} images to train, {validation} to choose the epoch by, "
        f"{test} to test.\nSHA-256 of the arrays: `{dataset.digest}`.",
        "## Recipe",
        f"```\n{_recipe(run)}\n```",
        "## Metrics",
        _metrics(run, evaluation),
        "## Limits",
        LIMITS.format(numbers=numbers),
    ]
    return "\n\n".join(sections) + "\n"


def _table_of_files(files: Mapping[str, ExportedFile]) -> str:
    rows = []
    for name, file in files.items():
        difference, runtime = "", ""
        if file.comparison:
            difference = f"{file.comparison.largest_difference:.1e}"
            runtime = file.comparison.runtime
        rows.append([f"`{name}`", f"{file.bytes:,}", difference, runtime])
    return markdown(["file", "bytes", "difference", "run in"], rows)


def _recipe(run: Run) -> str:
    recipe = json.loads(run.config.to_json())
    return "\n".join(f"{name:20} {json.dumps(value)}" for name, value in recipe.items())


def _metrics(run: Run, evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.about.checkpoint_epoch != run.epoch:
        return "Not measured: `jaxae evaluate RUN`, then `jaxae export RUN` again."
    return table(evaluation)


def _snippets(run: Run, files: Mapping[str, ExportedFile]) -> list[str]:
    """Return a heading and a snippet that runs in the folder, for each format that is there."""
    model = run.model
    widths = [math.prod(model.image_shape), *model.widths, model.latent_dim]
    values = {
        "shape": ", ".join(str(size) for size in model.image_shape),
        "pixels": widths[0],
        "down": widths,
        "up": widths[::-1],
        "latent_end": ", nn.ReLU()" if model.latent_activation == "relu" else "",
    }

    sections = []
    for file_format, snippet in SNIPPETS.items():
        if f"denoiser.{file_format}" in files:
            sections.append(f"## {TITLES[file_format]}")
            sections.append(f"```python\n{snippet.format(**values)}```")
    return sections


LIMITS = """\
- It knows images like those it was trained on, of the same size. From others it makes such images,
  without a warning.
- It removes the kind and strength of noise that it was trained on. Below that strength its output
  can be worse than its input.
- {numbers} an image keep outlines and brightness, and lose details: it is a map to look at, not a
  faithful denoiser.
- Latents have no fixed scale or orientation: those of two runs can't be compared."""

TITLES = {
    "stablehlo": "StableHLO: `pip install jax flatbuffers`",
    "onnx": "ONNX: `pip install onnxruntime`",
    "safetensors": "PyTorch: `pip install torch safetensors`",
}

SNIPPETS = {
    "stablehlo": """\
import numpy as np
from jax import export, jit

images = np.zeros((5, {shape}), np.float32)  # yours: in [0, 1]
with open("denoiser.stablehlo", "rb") as file:
    denoise = jit(export.deserialize(bytearray(file.read())).call)
denoised = denoise(images)
""",
    "onnx": """\
import numpy as np
import onnxruntime

images = np.zeros((5, {shape}), np.float32)  # yours: in [0, 1]
session = onnxruntime.InferenceSession("denoiser.onnx", providers=["CPUExecutionProvider"])
(denoised,) = session.run(None, {{"images": images}})
""",
    "safetensors": """\
import torch
from safetensors.torch import load_file
from torch import nn


def half(widths, *end):
    modules = []
    for inputs, outputs in zip(widths, widths[1:]):
        modules += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*modules[:-1], *end)


encoder = half({down}{latent_end})
decoder = half({up}, nn.Sigmoid())
denoiser = nn.Sequential(encoder, decoder)
denoiser.load_state_dict(load_file("denoiser.safetensors"), strict=True)
images = torch.zeros(5, {pixels})  # yours: in [0, 1], a row each
denoised = denoiser(images).detach()
""",
}
