"""Weights of a PyTorch autoencoder, from a safetensors file, as a jaxae model's variables.

The file holds the state_dict of nn.Sequential(encoder, decoder), or of a module with these two. A half is nn.Linear, perhaps
nn.BatchNorm1d, nn.ReLU, and so on; the last layer of the decoder ends with nn.Sigmoid. What jaxae exports is such a file too.
"""

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.config import Config
from jaxae.core.model import BATCH_NORM_EPSILON
from jaxae.errors import InputError, brief

HALVES = (("0", "1"), ("encoder", "decoder"))
TENSOR = re.compile(r"(\w+)\.(\d+)\.(weight|bias|running_mean|running_var)")
ONE = np.float32(1) - np.float32(BATCH_NORM_EPSILON)
"""A variance to which BatchNorm adds 1e-5 and gets 1: with it a layer is the same as without BatchNorm."""


class Linear(NamedTuple):
    """nn.Linear, with the nn.BatchNorm1d behind it, if any."""

    tensors: dict[str, np.ndarray]
    norm: dict[str, np.ndarray]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers in, numbers out."""
        outputs, inputs = self.tensors["weight"].shape
        return inputs, outputs

    @property
    def bias(self) -> np.ndarray:
        """f32[out]; nn.Linear may have none."""
        return self.tensors.get("bias", np.zeros(self.sizes[1], np.float32))


def read_torch(
    file: Path, *, image_shape: tuple[int, int, int] | None, **recipe: Any
) -> tuple[Config, dict[str, Any]]:
    """The recipe of the model and its variables. Raises InputError where the file holds something else.

    image_shape: height, width, channels; None: as jaxae's exports say, else square and grey. recipe: what else is known of it.
    """
    tensors, metadata = _tensors(file)
    halves = [_layers(file, tensors, half) for half in _halves(file, tensors)]
    encoder, decoder = ([layer.sizes for layer in half] for half in halves)
    if decoder != [sizes[::-1] for sizes in reversed(encoder)]:
        raise InputError(
            f"{file}: the decoder's layers {decoder} don't mirror the encoder's {encoder}: jaxae has no such model"
        )
    relu = bool(halves[0][-1].norm) or metadata.get("latent_activation") == "relu"
    if halves[1][-1].norm:
        raise InputError(
            f"{file}: the decoder ends with a BatchNorm: jaxae's ends with a linear layer and a sigmoid"
        )
    widths = tuple(outputs for _, outputs in encoder)
    config = Config(
        image_shape=image_shape or _image_shape(file, encoder[0][0], metadata),
        widths=widths[:-1],
        latent_dim=widths[-1],
        latent_activation="relu" if relu else "linear",
        **recipe,
    )
    if math.prod(config.image_shape) != encoder[0][0]:
        raise InputError(
            f"image_shape is {list(config.image_shape)}, and {file} takes {encoder[0][0]} numbers: give --image-shape"
        )
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for name, half, plain in (("encoder", halves[0], 0 if relu else 1), ("decoder", halves[1], 1)):
        params: dict[str, Any] = {}
        statistics: dict[str, Any] = {}
        for i, layer in enumerate(half):
            params[f"dense_{i}"] = {"kernel": layer.tensors["weight"].T.copy()}
            if i < len(half) - plain:
                params[f"batch_norm_{i}"], statistics[f"batch_norm_{i}"] = _norm(layer)
            else:
                params[f"dense_{i}"]["bias"] = layer.bias
        variables["params"][name] = params
        variables["batch_stats"][name] = statistics
    return config, variables


def _norm(layer: Linear) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return BatchNorm's parameters and statistics; a linear bias is taken off the mean."""
    bias = layer.bias
    without = {
        "weight": np.ones_like(bias),
        "bias": bias,
        "running_mean": bias,
        "running_var": np.full_like(bias, ONE),
    }
    norm = layer.norm or without
    params = {"scale": norm["weight"], "bias": norm["bias"]}
    return params, {"mean": norm["running_mean"] - bias, "var": norm["running_var"]}


def _tensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Name → f32 array, and the metadata."""
    try:
        from safetensors import safe_open
    except ImportError:
        raise InputError("safetensors is not installed: pip install safetensors") from None
    try:
        with safe_open(file, "numpy") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys()
            tensors = {name: np.asarray(opened.get_tensor(name), np.float32) for name in names}
    except (
        Exception
    ) as error:  # safetensors raises its own errors, and others for dtypes that NumPy lacks
        raise InputError(
            f"{file} can't be read ({brief(error)}): give a safetensors file of float32 weights"
        ) from error
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise InputError(f"{file}: {name} has numbers that are not finite: the model is broken")
    return tensors, metadata


def _halves(file: Path, tensors: dict[str, np.ndarray]) -> tuple[str, str]:
    names = {name.partition(".")[0] for name in tensors}
    for pair in HALVES:
        if names == set(pair):
            return pair
    found = ", ".join(sorted(names)[:4]) or "nothing"
    raise InputError(
        f"{file} has tensors of {found}: give the state_dict of nn.Sequential(encoder, decoder)"
    )


def _layers(file: Path, tensors: dict[str, np.ndarray], half: str) -> list[Linear]:
    """The layers of a half, in order. Raises InputError where it has other modules than nn.Linear and nn.BatchNorm1d."""
    modules: dict[int, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        if name.startswith(f"{half}.") and not name.endswith(".num_batches_tracked"):
            if not (found := TENSOR.fullmatch(name)):
                raise InputError(
                    f"{file} has {name:.60}: jaxae has only linear layers and BatchNorm, one after another"
                )
            modules.setdefault(int(found[2]), {})[found[3]] = array
    layers: list[Linear] = []
    for place in sorted(modules):
        module = modules[place]
        shapes = {name: array.shape for name, array in module.items()}
        if len(shapes.get("weight", ())) == 2 and shapes.keys() <= {"weight", "bias"}:
            layers.append(Linear(module, {}))
        elif (
            layers
            and not layers[-1].norm
            and shapes.keys() == {"weight", "bias", "running_mean", "running_var"}
        ):
            layers[-1] = layers[-1]._replace(norm=module)
        else:
            raise InputError(
                f"{file}: module {half}.{place} has {shapes}: it is no nn.Linear, and no nn.BatchNorm1d behind one"
            )
    return layers


def _image_shape(file: Path, pixels: int, metadata: dict[str, str]) -> tuple[int, int, int]:
    if found := re.fullmatch(r"\[(\d+), (\d+), (\d+)\]", metadata.get("image_shape", "")):
        return int(found[1]), int(found[2]), int(found[3])
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise InputError(
            f"{file} takes {pixels} numbers, which are no square image: give --image-shape"
        )
    return side, side, 1
