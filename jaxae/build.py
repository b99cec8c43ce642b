"""What a recipe stands for: a model, an optimiser, a plateau, the first state of a run, and when a run ends."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxae.config import Config
from jaxae.core.model import Autoencoder
from jaxae.core.optim import make_optimizer, make_plateau
from jaxae.core.rng import root_key
from jaxae.core.state import Parts, TrainState, init_state


def build_model(config: Config) -> Autoencoder:
    """The recipe's model."""
    return Autoencoder(
        image_shape=config.image_shape,
        widths=config.widths,
        latent_dim=config.latent_dim,
        dropout=config.dropout,
        latent_activation=config.latent_activation,
        momentum=config.batch_norm_momentum,
        initializer=config.initializer,
        narrow_shift=config.narrow_shift,
    )


def build_parts(config: Config, **values: Any) -> Parts:
    """The recipe's model, optimiser and plateau. values: what to take instead of the recipe's, numbers or traced arrays."""
    chosen = {**vars(config), **values}
    return Parts(
        model=build_model(config),
        optimizer=make_optimizer(
            learning_rate=chosen["learning_rate"],
            weight_decay=chosen["weight_decay"],
            clip_norm=chosen["clip_norm"],
            b2=chosen["adam_b2"],
        ),
        plateau=make_plateau(
            factor=config.plateau_factor,
            patience=config.plateau_patience,
            min_scale=config.min_scale,
        ),
        average_decay=config.average_decay,
        restore_best=config.restore_best,
    )


def first_state(config: Config) -> TrainState:
    """The state of a run before its first step."""
    return first_states([config])[0]


def first_states(configs: Sequence[Config]) -> list[TrainState]:
    """first_state of several recipes, which differ in nothing that has a shape: they share one compiled program."""
    init = _init_program(compiled_part(configs[0]))
    return [init(root_key(config.seed)) for config in configs]


@functools.lru_cache
def _init_program(config: Config) -> Callable[[jax.Array], TrainState]:
    return jax.jit(functools.partial(init_state, parts=build_parts(config)))


def compiled_part(config: Config) -> Config:
    """The recipe without what no compiled program depends on: recipes that agree in the rest share their programs."""
    return replace(config, dataset="auto", seed=0, epochs=1, early_stop_patience=1)


def state_shapes(config: Config) -> TrainState:
    """first_state as shapes and dtypes alone: what a checkpoint has to fit."""
    return jax.eval_shape(_init_program(compiled_part(config)), root_key(config.seed))


def finished(state: TrainState, config: Config) -> bool:
    """All epochs done, or no new best in early_stop_patience epochs with the learning rate at its floor."""
    at_floor = float(state.plateau.scale) <= float(np.float32(config.min_scale))
    stale = int(state.epoch) - max(int(state.best_epoch), int(state.drop_epoch))
    return int(state.epoch) >= config.epochs or (at_floor and stale >= config.early_stop_patience)
