"""README.md of RUN/export, a model card in Markdown: data, recipe, metrics, limits, and how each file is used."""

import json
import math
from collections.abc import Mapping
from typing import Any

from jaxae.data.dataset import Dataset
from jaxae.evaluation.reconstruction import table
from jaxae.evaluation.records import Evaluation
from jaxae.evaluation.tables import markdown
from jaxae.inference import Run

LIMITS = """\
- It knows images like those it was trained on, of the same size. Of others it makes such images, without a warning.
- It removes the kind and strength of noise that it was trained on. Below that strength its output can be worse than its input.
- {numbers} an image keep outlines and brightness, and lose details: it is a map to look at, not a faithful denoiser.
- Latents have no fixed scale or orientation: those of two runs can't be compared."""


def model_card(
    run: Run, dataset: Dataset, manifest: Mapping[str, Any], evaluation: Evaluation | None
) -> str:
    """The card of an export. manifest: of export.folder. evaluation: the run's, or None."""
    numbers = {1: "One number", 2: "Two numbers"}.get(
        run.model.latent_dim, f"{run.model.latent_dim} numbers"
    )
    shape = ", ".join(map(str, run.model.image_shape))
    sizes = [f"{len(part.images):,}" for part in (dataset.train, dataset.validation, dataset.test)]
    sections = [
        f"# A denoising autoencoder of {dataset.title}",
        f"It sends an image through {numbers.lower()} and draws it again without its noise. Images are f32[N, {shape}]\n"
        f"in [0, 1] (height, width, channels), latents f32[N, {run.model.latent_dim}]. Weights: epoch {run.epoch}.",
        "## Files",
        _files(manifest),
        f"Each was run in a process without jaxae on {manifest['split']}. The difference is the largest from jaxae's numbers.\n"
        "BatchNorm is folded into the layers, but in `*.of_weights.stablehlo`. `manifest.json` has the SHA-256 of all.",
        *_snippets(run, manifest),
        "## Data",
        f"{dataset.title}: {sizes[0]} images to train, {sizes[1]} to choose the epoch by, {sizes[2]} to test.\n"
        f"SHA-256 of the arrays: `{dataset.digest}`.",
        "## Recipe",
        f"```\n{_recipe(run)}\n```",
        "## Metrics",
        _metrics(run, evaluation),
        "## Limits",
        LIMITS.format(numbers=numbers),
    ]
    return "\n\n".join(sections) + "\n"


def _recipe(run: Run) -> str:
    return "\n".join(
        f"{name:20} {json.dumps(value)}" for name, value in json.loads(run.config.to_json()).items()
    )


def _files(manifest: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{name}`",
            f"{each['bytes']:,}",
            f"{each['largest_difference']:.1e}" if "in" in each else "",
            each.get("in", ""),
        ]
        for name, each in manifest["files"].items()
    ]
    return markdown(["file", "bytes", "difference", "run in"], rows)


def _metrics(run: Run, evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.about.checkpoint_epoch != run.epoch:
        return "Not measured: `jaxae evaluate RUN`, then `jaxae export RUN` again."
    return table(evaluation)


def _snippets(run: Run, manifest: Mapping[str, Any]) -> list[str]:
    """How the files are used: a heading and a snippet that runs in their folder, for each format."""
    shape = ", ".join(map(str, run.model.image_shape))
    down = [math.prod(run.model.image_shape), *run.model.widths, run.model.latent_dim]
    latent_end = ", nn.ReLU()" if run.model.latent_activation == "relu" else ""
    values = {
        "shape": shape,
        "down": down,
        "up": down[::-1],
        "pixels": down[0],
        "latent_end": latent_end,
    }
    found = [kind for kind in SNIPPETS if f"denoiser.{kind}" in manifest["files"]]
    return [
        text
        for kind in found
        for text in (f"## {TITLES[kind]}", f"```python\n{SNIPPETS[kind].format(**values)}```")
    ]


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

with open("denoiser.of_weights.stablehlo", "rb") as file:
    denoise = jit(export.deserialize(bytearray(file.read())).call)
denoised = denoise(dict(np.load("weights.npz")), images)
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
    modules = [module for sizes in zip(widths, widths[1:]) for module in (nn.Linear(*sizes), nn.ReLU())]
    return nn.Sequential(*modules[:-1], *end)


encoder = half({down}{latent_end})
decoder = half({up}, nn.Sigmoid())
denoiser = nn.Sequential(encoder, decoder)
denoiser.load_state_dict(load_file("denoiser.safetensors"), strict=True)
images = torch.zeros(5, {pixels})  # yours: in [0, 1], a row each
denoised = denoiser(images).detach()
""",
}
