"""A part of a folded model as a safetensors file with PyTorch's names and layout, for load_state_dict(strict=True).

A half is nn.Sequential(nn.Linear, nn.ReLU, nn.Linear, …), which takes rows: images f32[B, H·W·C] or latents f32[B, latent_dim].
The denoiser is nn.Sequential(encoder, decoder).
"""

import json

import numpy as np

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import FoldedModel, Part


def safetensors_file(
    folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]
) -> bytes:
    """The contents of a .safetensors file. Raises InputError where safetensors is not installed.

    Its metadata have what the weights don't tell: the shape of an image, and what follows the latent layer.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise InputError(
            "safetensors is not installed: pip install safetensors, or leave safetensors out of --to"
        ) from None
    halves = (
        {"0.": folded.encoder, "1.": folded.decoder}
        if part == "denoiser"
        else {"": folded.layers(part)}
    )
    tensors: dict[str, np.ndarray] = {}
    for prefix, layers in halves.items():
        for i, layer in enumerate(layers):  # each stands behind the one before and its ReLU
            tensors[f"{prefix}{2 * i}.weight"] = np.ascontiguousarray(layer.kernel.T)
            tensors[f"{prefix}{2 * i}.bias"] = layer.bias
    metadata = {
        "image_shape": json.dumps(image_shape),
        "latent_activation": folded.encoder[-1].activation,
    }
    return save(tensors, metadata={"format": "pt", "part": part, **metadata})
