"""Weights of a PyTorch autoencoder, from a safetensors file, as a jaxae model's variables.

The file holds the state_dict of nn.Sequential(encoder, decoder), or of a module with these two
names. Each of the two is nn.Linear, nn.BatchNorm1d or none, nn.ReLU, and so on; the decoder ends
with nn.Sigmoid. The denoiser.safetensors that jaxae exports is such a file too.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae.config import Config
from jaxae.core.model import BATCH_NORM_EPSILON
from jaxae.errors import InputError, brief

HALVES = (("0", "1"), ("encoder", "decoder"))
"""The names that encoder and decoder may have in a file."""
TENSOR = re.compile(r"(?P<half>\w+)\.(?P<module>\d+)\.(?P<name>\w+)")
LINEAR = {"weight", "bias"}
BATCH_NORM = {"weight", "bias", "running_mean", "running_var"}
UNIT_VARIANCE = np.float32(1) - np.float32(BATCH_NORM_EPSILON)
"""BatchNorm adds its epsilon and gets 1: with it a layer computes the same as without BatchNorm."""


class Linear(NamedTuple):
    """nn.Linear, and the tensors of the nn.BatchNorm1d after it, if there is one."""

    weight: np.ndarray
    """f32[out, in]."""
    bias: np.ndarray
    """f32[out]; zeros if nn.Linear has none."""
    norm: dict[str, np.ndarray] | None

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers in, numbers out."""
        outputs, inputs = self.weight.shape
        return inputs, outputs


class SavedTensors(NamedTuple):
    """The contents of a safetensors file."""

    tensors: dict[str, np.ndarray]
    """f32 arrays by name."""
    metadata: dict[str, str]


class TorchModel(NamedTuple):
    """A model from PyTorch."""

    config: Config
    variables: dict[str, Any]
    """Flax's params and batch_stats."""


def read_torch(
    file: Path,
    *,
    dataset: str,
    noise_factor: float,
    image_shape: tuple[int, int, int] | None,
) -> TorchModel:
    """Return the model in a file. Raises InputError if the file holds something else.

    dataset, noise_factor: what it was trained on. image_shape: height, width, channels; None takes
    that of jaxae's exports, or square grey images.
    """
    tensors, metadata = _read(file)
    encoder_name, decoder_name = _names_of_halves(file, tensors)
    encoder = _layers(file, tensors, encoder_name)
    decoder = _layers(file, tensors, decoder_name)
    _check_decoder(file, encoder, decoder)

    relu_latent = encoder[-1].norm is not None or metadata.get("latent_activation") == "relu"
    pixels, _ = encoder[0].sizes
    widths = [outputs for _, outputs in (layer.sizes for layer in encoder)]
    config = Config(
        dataset=dataset,
        noise_factor=noise_factor,
        image_shape=image_shape or _image_shape(file, pixels, metadata),
        widths=tuple(widths[:-1]),
        latent_dim=widths[-1],
        latent_activation="relu" if relu_latent else "linear",
    )
    if math.prod(config.image_shape) != pixels:
        raise InputError(
            f"image_shape is {list(config.image_shape)}, but {file} takes {pixels} numbers: "
            "give the image_shape of the model"
        )

    params: dict[str, Any] = {}
    statistics: dict[str, Any] = {}
    normed = len(encoder) if relu_latent else len(encoder) - 1
    params["encoder"], statistics["encoder"] = _variables(encoder, normed=normed)
    params["decoder"], statistics["decoder"] = _variables(decoder, normed=len(decoder) - 1)
    return TorchModel(config, {"params": params, "batch_stats": statistics})


def _check_decoder(file: Path, encoder: Sequence[Linear], decoder: Sequence[Linear]) -> None:
    there = [layer.sizes for layer in decoder]
    back = [layer.sizes for layer in encoder]
    if there != [sizes[::-1] for sizes in reversed(back)]:
        raise InputError(
            f"{file}: the decoder's layers {there} don't mirror the encoder's {back}: "
            "jaxae has no such model"
        )
    if decoder[-1].norm is not None:
        raise InputError(
            f"{file}: the decoder ends with a BatchNorm: "
            "jaxae's ends with a linear layer and a sigmoid"
        )


def _variables(layers: Sequence[Linear], *, normed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters and statistics of a half. normed: how many layers get a BatchNorm."""
    params: dict[str, Any] = {}
    statistics: dict[str, Any] = {}

    for i, layer in enumerate(layers):
        dense = {"kernel": layer.weight.T.copy()}
        params[f"dense_{i}"] = dense

        if i >= normed:
            dense["bias"] = layer.bias
            continue
        norm = layer.norm or _norm_without_effect(layer)
        params[f"batch_norm_{i}"] = {"scale": norm["weight"], "bias": norm["bias"]}
        statistics[f"batch_norm_{i}"] = {
            "mean": norm["running_mean"] - layer.bias,  # jaxae's linear layer here has no bias
            "var": norm["running_var"],
        }

    return params, statistics


def _norm_without_effect(layer: Linear) -> dict[str, np.ndarray]:
    """Return a BatchNorm that returns its input."""
    return {
        "weight": np.ones_like(layer.bias),
        "bias": layer.bias,
        "running_mean": layer.bias,
        "running_var": np.full_like(layer.bias, UNIT_VARIANCE),
    }


def _read(file: Path) -> SavedTensors:
    try:
        from safetensors import safe_open
    except ImportError:
        raise InputError("safetensors is not installed: pip install safetensors") from None

    try:
        with safe_open(file, "numpy") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys()
            tensors = {name: np.asarray(opened.get_tensor(name), np.float32) for name in names}
    except Exception as error:  # its own kinds, and others for dtypes that NumPy does not have
        raise InputError(
            f"{file} can't be read ({brief(error)}): give a safetensors file of float32 weights"
        ) from error

    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise InputError(f"{file}: {name} has numbers that are not finite: the model is broken")
    return SavedTensors(tensors, metadata)


def _names_of_halves(file: Path, tensors: dict[str, np.ndarray]) -> tuple[str, str]:
    names = {name.partition(".")[0] for name in tensors}
    for pair in HALVES:
        if names == set(pair):
            return pair

    found = ", ".join(sorted(names)[:4]) or "nothing"
    raise InputError(
        f"{file} has tensors of {found}: give the state_dict of nn.Sequential(encoder, decoder)"
    )


def _layers(file: Path, tensors: dict[str, np.ndarray], half: str) -> list[Linear]:
    """Return the layers of a half, in order.

    Raises InputError for other modules than nn.Linear and nn.BatchNorm1d.
    """
    modules: dict[int, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        if not name.startswith(f"{half}.") or name.endswith(".num_batches_tracked"):
            continue
        found = TENSOR.fullmatch(name)
        if not found or found["name"] not in BATCH_NORM:
            raise InputError(
                f"{file} has {name:.60}: "
                "jaxae has only linear layers and BatchNorm, one after another"
            )
        modules.setdefault(int(found["module"]), {})[found["name"]] = array

    layers: list[Linear] = []
    for place, module in sorted(modules.items()):
        if _is_linear(module):
            weight = module["weight"]
            bias = module.get("bias", np.zeros(len(weight), np.float32))
            layers.append(Linear(weight, bias, None))
        elif layers and layers[-1].norm is None and _is_batch_norm(module, layers[-1].bias.shape):
            layers[-1] = layers[-1]._replace(norm=module)
        else:
            shapes = {name: array.shape for name, array in module.items()}
            raise InputError(
                f"{file}: module {half}.{place} has {shapes}: "
                "it is neither an nn.Linear nor an nn.BatchNorm1d after one"
            )

    if not layers:
        raise InputError(f"{file} has no layers in {half}: give nn.Sequential(encoder, decoder)")
    return layers


def _is_linear(module: dict[str, np.ndarray]) -> bool:
    if "weight" not in module or not module.keys() <= LINEAR:
        return False
    weight = module["weight"]
    return weight.ndim == 2 and ("bias" not in module or module["bias"].shape == weight.shape[:1])


def _is_batch_norm(module: dict[str, np.ndarray], shape: tuple[int, ...]) -> bool:
    same_shape = all(array.shape == shape for array in module.values())
    return module.keys() == BATCH_NORM and same_shape


def _image_shape(file: Path, pixels: int, metadata: dict[str, str]) -> tuple[int, int, int]:
    """Return height, width and channels: from the metadata, or of a square grey image."""
    found = re.fullmatch(r"\[(\d+), (\d+), (\d+)\]", metadata.get("image_shape", ""))
    if found:
        return int(found[1]), int(found[2]), int(found[3])

    side = math.isqrt(pixels)
    if side * side != pixels:
        raise InputError(
            f"{file} takes {pixels} numbers, which are no square image: give image_shape"
        )
    return side, side, 1
