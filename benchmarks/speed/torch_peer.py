"""The recipe's step and loop in PyTorch, as a competent user of it would write them."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, update_bn

from benchmarks.speed.torch_model import build, corrupt, loss
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.model import NARROW
from jaxae.core.optim import THRESHOLD
from jaxae.data.dataset import sample
from jaxae.data.load import load_dataset
from jaxae.train.epoch import STATISTICS_BATCH

Kind = Literal["plain", "tuned", "compiled"]
"""DataLoader and AdamW as they come; tensors in memory and fused AdamW; the same compiled."""


class Peer:
    """A model in training.

    Arguments:
        kind: One of Kind.
        config: The recipe.
        images: Training images, u8[N, H, W, C].
        device: Where to train.
    """

    def __init__(
        self, kind: Kind, config: Config, images: np.ndarray, *, device: str = "cpu"
    ) -> None:
        torch.manual_seed(config.seed)
        self.kind = kind
        self.config = config
        self.device = device
        self.epochs_done = 0

        flat = torch.from_numpy(images.reshape(len(images), -1))
        self.images = flat if kind == "plain" else flat.to(device)
        self.model = self._model(pixels=flat.shape[1])
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
        )
        self.corrupted_loss: Callable[[torch.Tensor], torch.Tensor] = self._corrupted_loss
        if kind == "compiled":
            self.corrupted_loss = torch.compile(self._corrupted_loss)

    def _model(self, *, pixels: int) -> nn.Sequential:
        config = self.config
        model = build(config.dropout, config.latent_activation, pixels=pixels).to(self.device)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d) and module.num_features <= NARROW:
                nn.init.constant_(module.bias, config.narrow_shift)
        return model

    def _corrupted_loss(self, clean: torch.Tensor) -> torch.Tensor:
        # The usual way to bfloat16. It rounds what layers give as well, where jaxae rounds
        # what they multiply.
        rounded = self.config.matmul_dtype == "bfloat16"
        with torch.autocast(clean.device.type, torch.bfloat16, enabled=rounded):
            return loss(self.model, corrupt(clean, self.config.noise_factor), clean)

    def _move_average(self, averaged: Any, current: Any, done: Any) -> None:
        decay = min(self.config.average_decay, float((1 + done) / (10 + done)))
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        """Update the weights, and their averages, on a batch u8[B, 784]. Return its loss."""
        value = self.corrupted_loss(batch.to(self.device).float() / 255)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return value.detach()

    def batches(self) -> Iterator[torch.Tensor]:
        """Yield the batches of an epoch, shuffled, without the partial last one."""
        size = self.config.batch_size
        if self.kind == "plain":
            data = torch.utils.data.TensorDataset(self.images)
            loader = torch.utils.data.DataLoader(data, size, shuffle=True, drop_last=True)
            yield from (batch for (batch,) in loader)
        else:
            order = torch.randperm(len(self.images), device=self.device)
            steps = len(self.images) // size
            yield from (self.images[rows] for rows in order.split(size)[:steps])

    def epoch(self) -> float:
        """Train an epoch. Return the mean loss."""
        if self.epochs_done == self.config.dropout_epochs:
            without_dropout(self.model)
        self.epochs_done += 1
        self.model.train()
        return torch.stack([self.step(batch) for batch in self.batches()]).mean().item()

    @torch.no_grad()
    def evaluated(self) -> nn.Module:
        """Return a copy of what is evaluated.

        It has the averaged weights, and batch statistics that are taken without dropout.
        """
        model = copy.deepcopy(self.model if self.average is None else self.average.module)
        if self.config.statistics_images:
            without_dropout(model)
            rows = sample(len(self.images), self.config.statistics_images)
            images = self.images[torch.tensor(rows)]
            update_bn((self._noisy(batch)[0] for batch in images.split(STATISTICS_BATCH)), model)
        return model.eval()

    @torch.no_grad()
    def validate(self, images: np.ndarray) -> float:
        """Return the loss over all images u8[N, H, W, C], with the same noise each time."""
        noisy, clean = self._noisy(torch.from_numpy(images.reshape(len(images), -1)))
        return loss(self.evaluated(), noisy, clean).item()

    def _noisy(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return noisy and clean images, f32[N, 784], of bytes; the same noise each time."""
        clean = images.to(self.device).float() / 255
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            return corrupt(clean, self.config.noise_factor), clean


def without_dropout(model: nn.Module) -> None:
    """Set all rates of dropout to 0."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def main(config: Config, kind: Kind = "tuned") -> None:
    """Train with the recipe's plateau, and print a line an epoch as `jaxae train` does.

    Args:
        config: The recipe.
        kind: How the loop is written.
    """
    torch.set_flush_denormal(kind != "plain")  # see speed_worker
    dataset = load_dataset(config.dataset, report=messages.say)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    peer = Peer(kind, config, dataset.train.images, device=device)
    plateau = ReduceLROnPlateau(
        peer.optimizer,
        factor=config.plateau_factor,
        patience=config.plateau_patience - 1,
        threshold=THRESHOLD,
        min_lr=config.min_scale * config.learning_rate,
        eps=0,
    )

    for epoch in range(1, config.epochs + 1):
        train = peer.epoch()
        validation = peer.validate(dataset.validation.images)
        plateau.step(validation)
        losses = f"train {train:.5f}  validation {validation:.5f}"
        messages.say(f"epoch {epoch:3}/{config.epochs}  {losses}")


if __name__ == "__main__":
    command.run(main)
