"""The same recipe, step and loop in PyTorch, as a competent user of it would write them: the other side of the races."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from benchmarks.speed.torch_model import build, corrupt, loss
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.model import NARROW
from jaxae.data.load import load_dataset
from jaxae.train.epoch import STATISTICS_BATCH

Kind = Literal["plain", "tuned", "compiled", "graphed"]


class Peer:
    """A model in training.

    kind: plain (DataLoader, AdamW as it comes), tuned (tensors in memory, fused AdamW), compiled (tuned, with torch.compile) or
    graphed (tuned, the whole step as one CUDA graph: needs CUDA).
    """

    def __init__(
        self, kind: Kind, config: Config, images: np.ndarray, *, device: str = "cpu"
    ) -> None:
        torch.manual_seed(config.seed)
        self.kind, self.config, self.device = kind, config, device
        self.images = torch.from_numpy(images.reshape(len(images), -1)).to(
            "cpu" if kind == "plain" else device
        )
        self.model = build(
            config.dropout, config.latent_activation, pixels=self.images.shape[1]
        ).to(device)
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm1d) and module.num_features <= NARROW:
                nn.init.constant_(module.bias, config.narrow_shift)
        self.average = (
            AveragedModel(self.model, multi_avg_fn=self._move_average)
            if config.average_decay
            else None
        )
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
        # The usual way to bfloat16. It rounds what layers give as well, where jaxae rounds what they multiply.
        rounded = self.config.matmul_dtype == "bfloat16"
        with torch.autocast(
            clean.device.type, torch.bfloat16, enabled=rounded, cache_enabled=self.kind != "graphed"
        ):
            return loss(self.model, corrupt(clean, self.config.noise_factor), clean)

    def _move_average(self, averaged: Any, current: Any, done: Any) -> None:
        torch._foreach_lerp_(
            averaged, current, 1 - min(self.config.average_decay, float((1 + done) / (10 + done)))
        )

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        """One update on a batch u8[B, 784], and of the averaged weights. Returns its loss."""
        value = self._step(batch)
        if self.average is not None:
            self.average.update_parameters(self.model)
        return value

    def _step(self, batch: torch.Tensor) -> torch.Tensor:
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
            loader = torch.utils.data.DataLoader(
                data, self.config.batch_size, shuffle=True, drop_last=True
            )
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
    def evaluated(self) -> nn.Module:
        """A copy of what is evaluated: averaged weights, batch statistics taken anew without dropout, as the recipe says."""
        model = copy.deepcopy(self.model if self.average is None else self.average.module)
        if count := self.config.statistics_images:
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            update_bn(
                (self._noisy(batch)[0] for batch in self.images[:count].split(STATISTICS_BATCH)),
                model,
            )
        return model.eval()

    @torch.no_grad()
    def validate(self, images: np.ndarray) -> float:
        """The loss over all images u8[N, H, W, C], with the same noise each time."""
        return loss(
            self.evaluated(), *self._noisy(torch.from_numpy(images.reshape(len(images), -1)))
        ).item()

    def _noisy(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy and clean images, f32[N, 784], of bytes; the same noise each time."""
        clean = images.to(self.device).float() / 255
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            return corrupt(clean, self.config.noise_factor), clean


def main(config: Config, kind: Kind = "tuned") -> None:
    """Trains with the recipe's plateau and prints a line an epoch, as scripts/train.py does."""
    torch.set_flush_denormal(
        kind != "plain"
    )  # as XLA does; without it, AdamW slows down as its moments decay
    dataset = load_dataset(config.dataset, report=messages.say)
    peer = Peer(
        kind, config, dataset.train.images, device="cuda" if torch.cuda.is_available() else "cpu"
    )
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
        messages.say(
            f"epoch {epoch:3}/{config.epochs}  train {train_loss:.5f}  validation {validation_loss:.5f}"
        )


if __name__ == "__main__":
    command.run(main)
