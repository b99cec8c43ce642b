"""The model in PyTorch, as a competent user of it would write it: layers, loss, noise.

tests/test_torch.py shows that the same weights give jaxae's outputs, losses and gradients.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from jaxae.core.model import WIDTHS


def block(inputs: int, outputs: int, dropout: float = 0.0) -> list[nn.Module]:
    """Return Linear → BatchNorm → ReLU → Dropout. As in jaxae the Linear has no bias."""
    modules = [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return [*modules, nn.Dropout(dropout)] if dropout else modules


def build(
    dropout: Sequence[float] = (0.2, 0.2, 0.1),
    latent_activation: str = "linear",
    *,
    pixels: int = 784,
    latent: int = 2,
) -> nn.Sequential:
    """Return encoder and decoder: images f32[B, pixels] in, reconstructions f32[B, pixels] out."""
    rates = [*dropout, *[0.0] * (len(WIDTHS) - len(dropout))]
    encoder: list[nn.Module] = []
    for (inputs, outputs), rate in zip(itertools.pairwise([pixels, *WIDTHS]), rates, strict=True):
        encoder += block(inputs, outputs, rate)
    if latent_activation == "relu":
        encoder += block(WIDTHS[-1], latent)
    else:
        encoder.append(nn.Linear(WIDTHS[-1], latent))

    decoder: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise([latent, *reversed(WIDTHS)]):
        decoder += block(inputs, outputs)
    decoder += [nn.Linear(WIDTHS[0], pixels), nn.Sigmoid()]
    return nn.Sequential(nn.Sequential(*encoder), nn.Sequential(*decoder))


def load_variables(model: nn.Sequential, variables: dict[str, Any]) -> None:
    """Copy a jaxae model's variables into its PyTorch twin."""
    for name, half in zip(("encoder", "decoder"), model.children(), strict=True):
        params = variables["params"][name]
        statistics = variables["batch_stats"][name]
        linears = [module for module in half.children() if isinstance(module, nn.Linear)]
        norms = [module for module in half.children() if isinstance(module, nn.BatchNorm1d)]

        for i, linear in enumerate(linears):
            dense = params[f"dense_{i}"]
            linear.weight.data = tensor(dense["kernel"]).T.contiguous()
            if i == len(norms):  # the last layer of a half
                linear.bias.data = tensor(dense["bias"])

        for i, norm in enumerate(norms):
            norm.weight.data = tensor(params[f"batch_norm_{i}"]["scale"])
            norm.bias.data = tensor(params[f"batch_norm_{i}"]["bias"])
            norm.running_mean = tensor(statistics[f"batch_norm_{i}"]["mean"])
            norm.running_var = tensor(statistics[f"batch_norm_{i}"]["var"])


def tensor(array: Any) -> torch.Tensor:
    """Return a copy of a JAX or NumPy array."""
    return torch.tensor(np.array(array))


def loss(model: nn.Module, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Return MSE + L1 of a batch."""
    output = model(noisy)
    return F.mse_loss(output, clean) + F.l1_loss(output, clean)


def corrupt(clean: torch.Tensor, std: float) -> torch.Tensor:
    """Add N(0, std²) noise and clip to [0, 1]."""
    return (clean + std * torch.randn_like(clean)).clamp_(0, 1)
