"""The same model in PyTorch, as a competent user of it would write it: layers, loss, noise.

tests/test_torch.py holds that the same weights give the same outputs, losses and gradients as jaxae's.
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
    """Linear → BatchNorm → ReLU → Dropout. As in jaxae, no bias in front of a BatchNorm."""
    modules = [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return [*modules, nn.Dropout(dropout)] if dropout else modules


def build(
    dropout: Sequence[float] = (0.2, 0.2, 0.1),
    latent_activation: str = "linear",
    *,
    pixels: int = 784,
    latent: int = 2,
) -> nn.Sequential:
    """Encoder and decoder. Images f32[B, pixels] in, reconstructions f32[B, pixels] out."""
    widths = [pixels, *WIDTHS]
    rates = [*dropout, *[0.0] * (len(WIDTHS) - len(dropout))]
    layers = zip(itertools.pairwise(widths), rates, strict=True)
    encoder = [
        module for (inputs, outputs), rate in layers for module in block(inputs, outputs, rate)
    ]
    encoder += (
        block(WIDTHS[-1], latent)
        if latent_activation == "relu"
        else [nn.Linear(WIDTHS[-1], latent)]
    )
    up = itertools.pairwise([latent, *reversed(WIDTHS)])
    decoder = [module for inputs, outputs in up for module in block(inputs, outputs)]
    return nn.Sequential(
        nn.Sequential(*encoder), nn.Sequential(*decoder, nn.Linear(WIDTHS[0], pixels), nn.Sigmoid())
    )


def load_variables(model: nn.Sequential, variables: dict[str, Any]) -> None:
    """Copies a jaxae model's variables into its PyTorch twin."""
    for name, half in zip(("encoder", "decoder"), model.children(), strict=True):
        params, stats = variables["params"][name], variables["batch_stats"][name]
        linears = [module for module in half.children() if isinstance(module, nn.Linear)]
        norms = [module for module in half.children() if isinstance(module, nn.BatchNorm1d)]
        for i, linear in enumerate(linears):
            dense = params[f"dense_{i}"]
            linear.weight.data = torch.tensor(np.array(dense["kernel"]).T.copy())
            if i >= len(norms):
                linear.bias.data = torch.tensor(np.array(dense["bias"]))
                continue
            norm, running = params[f"batch_norm_{i}"], stats[f"batch_norm_{i}"]
            norms[i].weight.data, norms[i].bias.data = (
                torch.tensor(np.array(norm[each])) for each in ("scale", "bias")
            )
            norms[i].running_mean, norms[i].running_var = (
                torch.tensor(np.array(running[each])) for each in ("mean", "var")
            )


def loss(model: nn.Module, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """MSE + L1 of a batch."""
    output = model(noisy)
    return F.mse_loss(output, clean) + F.l1_loss(output, clean)


def corrupt(clean: torch.Tensor, std: float) -> torch.Tensor:
    """Gaussian noise, clipped to [0, 1]."""
    return (clean + std * torch.randn_like(clean)).clamp_(0, 1)
