"""The same model, recipe and step in PyTorch, as a competent user of it would write them: the other side of the races.

tests/test_torch.py holds that the same weights give the same outputs, losses and gradients as jaxae's.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.model import WIDTHS
from jaxae.data.load import load_dataset

Kind = Literal["plain", "tuned", "compiled", "graphed"]


def block(inputs: int, outputs: int, dropout: float = 0.0) -> list[nn.Module]:
    """Linear → BatchNorm → ReLU → Dropout. As in jaxae, no bias in front of a BatchNorm."""
    modules = [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return [*modules, nn.Dropout(dropout)] if dropout else modules


def build(
    dropout: Sequence[float] = (0.2, 0.2, 0.1), latent_activation: str = "linear", *, pixels: int = 784, latent: int = 2
) -> nn.Sequential:
    """Encoder and decoder. Images f32[B, pixels] in, reconstructions f32[B, pixels] out."""
    widths = [pixels, *WIDTHS]
    rates = [*dropout, *[0.0] * (len(WIDTHS) - len(dropout))]
    layers = zip(itertools.pairwise(widths), rates, strict=True)
    encoder = [module for (inputs, outputs), rate in layers for module in block(inputs, outputs, rate)]
    encoder += block(WIDTHS[-1], latent) if latent_activation == "relu" else [nn.Linear(WIDTHS[-1], latent)]
    up = itertools.pairwise([latent, *reversed(WIDTHS)])
    decoder = [module for inputs, outputs in up for module in block(inputs, outputs)]
    return nn.Sequential(nn.Sequential(*encoder), nn.Sequential(*decoder, nn.Linear(WIDTHS[0], pixels), nn.Sigmoid()))


def load_variables(model: nn.Sequential, variables: dict[str, Any]) -> None:
    """Copies a jaxae model's variables into its PyTorch twin."""
    for name, half in zip(("encoder", "decoder"), model.children(), strict=True):
        params, stats = variables["params"][name], variables["batch_stats"][name]
        linears = [module for module in half.children() if isinstance(module, nn.Linear)]
        norms = [module for module in half.children() if isinstance(module, nn.BatchNorm1d)]
        for i, linear in enumerate(linears):
            dense = params[f"Layer_{i}"]["Dense_0"] if i < len(norms) else params["Dense_0"]
            linear.weight.data = torch.tensor(np.array(dense["kernel"]).T.copy())
            if i >= len(norms):
                linear.bias.data = torch.tensor(np.array(dense["bias"]))
                continue
            norm, running = params[f"Layer_{i}"]["BatchNorm_0"], stats[f"Layer_{i}"]["BatchNorm_0"]
            norms[i].weight.data, norms[i].bias.data = (torch.tensor(np.array(norm[each])) for each in ("scale", "bias"))
            norms[i].running_mean, norms[i].running_var = (torch.tensor(np.array(running[each])) for each in ("mean", "var"))


def loss(model: nn.Module, noisy: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """MSE + L1 of a batch."""
    output = model(noisy)
    return F.mse_loss(output, clean) + F.l1_loss(output, clean)


def corrupt(clean: torch.Tensor, std: float) -> torch.Tensor:
    """Gaussian noise, clipped to [0, 1]."""
    return (clean + std * torch.randn_like(clean)).clamp_(0, 1)


class Peer:
    """A model in training.

    kind: plain (DataLoader, AdamW as it comes), tuned (tensors in memory, fused AdamW), compiled (tuned, with torch.compile) or
    graphed (tuned, the whole step as one CUDA graph: needs CUDA).
    """

    def __init__(self, kind: Kind, config: Config, images: np.ndarray, *, device: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        self.kind, self.config, self.device = kind, config, device
        self.images = torch.from_numpy(images.reshape(len(images), -1)).to("cpu" if kind == "plain" else device)
        self.model = build(config.dropout, config.latent_activation, pixels=self.images.shape[1]).to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=(0.9, config.adam_b2),
            weight_decay=config.weight_decay,
            fused=kind != "plain",
            capturable=kind == "graphed",
        )
        self.corrupted_loss: Callable[[torch.Tensor], torch.Tensor] = self._corrupted_loss
        if kind == "compiled":
            self.corrupted_loss = torch.compile(self._corrupted_loss)
        self.graph: torch.cuda.CUDAGraph | None = None

    def _corrupted_loss(self, clean: torch.Tensor) -> torch.Tensor:
        return loss(self.model, corrupt(clean, self.config.noise_factor), clean)

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        """One update on a batch u8[B, 784]. Returns its loss."""
        if self.kind != "graphed":
            return self._update(batch)
        if self.graph is None:
            self._capture(batch)
        assert self.graph is not None
        self.graph_batch.copy_(batch)
        self.graph.replay()
        return self.graph_loss.clone()  # the next replay writes over it

    def _capture(self, batch: torch.Tensor) -> None:
        """Records an update as a CUDA graph; before that a stream of its own takes three, which allocate what a step needs."""
        self.graph_batch = batch.clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._update(self.graph_batch)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.graph_loss = self._update(self.graph_batch)

    def _update(self, batch: torch.Tensor) -> torch.Tensor:
        value = self.corrupted_loss(batch.to(self.device).float() / 255)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        return value.detach()

    def batches(self) -> Iterator[torch.Tensor]:
        """The batches of an epoch, shuffled; a partial last one is left out."""
        if self.kind == "plain":
            data = torch.utils.data.TensorDataset(self.images)
            loader = torch.utils.data.DataLoader(data, self.config.batch_size, shuffle=True, drop_last=True)
            yield from (batch for (batch,) in loader)
        else:
            order = torch.randperm(len(self.images), device=self.device)
            steps = len(self.images) // self.config.batch_size
            yield from (self.images[rows] for rows in order.split(self.config.batch_size)[:steps])

    def epoch(self) -> float:
        """Trains an epoch. Returns the mean loss."""
        self.model.train()
        return torch.stack([self.step(batch) for batch in self.batches()]).mean().item()

    @torch.no_grad()
    def validate(self, images: np.ndarray) -> float:
        """The loss over all images u8[N, H, W, C], with the same noise each time."""
        clean = torch.from_numpy(images.reshape(len(images), -1)).to(self.device).float() / 255
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            noisy = corrupt(clean, self.config.noise_factor)
        return loss(self.model.eval(), noisy, clean).item()


def main(config: Config, kind: Kind = "tuned") -> None:
    """Trains with the recipe's plateau and prints a line an epoch, as scripts/train.py does."""
    torch.set_flush_denormal(kind != "plain")  # as XLA does; without it, AdamW slows down as its moments decay
    dataset = load_dataset(config.dataset, report=messages.say)
    peer = Peer(kind, config, dataset.train.images, device="cuda" if torch.cuda.is_available() else "cpu")
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        peer.optimizer,
        factor=config.plateau_factor,
        patience=config.plateau_patience - 1,
        min_lr=config.min_scale * config.learning_rate,
        eps=0,
    )
    for epoch in range(1, config.epochs + 1):
        train_loss, validation_loss = peer.epoch(), peer.validate(dataset.validation.images)
        plateau.step(validation_loss)
        messages.say(f"epoch {epoch:3}/{config.epochs}  train {train_loss:.5f}  validation {validation_loss:.5f}")


if __name__ == "__main__":
    command.run(main)
