"""A part of a folded model as a safetensors file, for PyTorch's load_state_dict(strict=True).

A half is nn.Sequential(nn.Linear, nn.ReLU, nn.Linear, …), which takes rows: images f32[B, H·W·C]
or latents f32[B, latent_dim]. The denoiser is nn.Sequential(encoder, decoder).
"""

import json

import numpy as np

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import FoldedModel, Part


def safetensors_file(
    folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]
) -> bytes:
    """Return the contents of a .safetensors file.

    Its metadata say what the weights don't: the shape of an image (height, width, channels) and
    the activation of the latent layer. Raises InputError if safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise InputError(
            "safetensors is not installed: "
            "pip install safetensors, or leave safetensors out of the formats"
        ) from None

    if part == "denoiser":
        halves = {"0.": folded.encoder, "1.": folded.decoder}
    else:
        halves = {"": folded.layers(part)}

    tensors: dict[str, np.ndarray] = {}
    for prefix, layers in halves.items():
        for i, layer in enumerate(layers):
            place = 2 * i  # each layer follows the one before and its ReLU
            tensors[f"{prefix}{place}.weight"] = np.ascontiguousarray(layer.kernel.T)
            tensors[f"{prefix}{place}.bias"] = layer.bias

    metadata = {
        "format": "pt",
        "part": part,
        "image_shape": json.dumps(image_shape),
        "latent_activation": folded.encoder[-1].activation,
    }
    return save(tensors, metadata=metadata)
