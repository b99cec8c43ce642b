"""From a recipe to its parts: model, optimiser, plateau, first state, and when a run ends."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import jax
from jax.typing import ArrayLike

from jaxae.config import Config
from jaxae.core.model import Autoencoder
from jaxae.core.optim import ROUNDING, make_optimizer, make_plateau
from jaxae.core.rng import root_key
from jaxae.core.state import Parts, TrainState, init_state
from jaxae.core.step import SplitBatch, StepOptions, whole

Swept = Mapping[str, ArrayLike]
"""Values of a sweep by their option, which may be traced: learning_rate, weight_decay, …"""

NOTHING_SWEPT: Swept = MappingProxyType({})


def build_model(config: Config) -> Autoencoder:
    """Return the recipe's model, as it is evaluated: in float32."""
    return Autoencoder(
        image_shape=config.image_shape,
        widths=config.widths,
        latent_dim=config.latent_dim,
        dropout=config.dropout,
        latent_activation=config.latent_activation,
        narrow_shift=config.narrow_shift,
    )


def build_parts(config: Config, *, swept: Swept = NOTHING_SWEPT) -> Parts:
    """Return the recipe's model, optimiser and plateau. swept: values in place of the recipe's."""

    def value(name: str) -> ArrayLike:
        return swept.get(name, getattr(config, name))

    optimizer = make_optimizer(
        learning_rate=value("learning_rate"),
        weight_decay=value("weight_decay"),
        clip_norm=value("clip_norm"),
        b2=value("adam_b2"),
    )
    plateau = make_plateau(
        factor=config.plateau_factor,
        patience=config.plateau_patience,
        min_scale=config.min_scale,
    )
    return Parts(
        model=build_model(config),
        optimizer=optimizer,
        plateau=plateau,
        average_decay=config.average_decay,
        restore_best=config.restore_best,
    )


def build_step(
    config: Config, *, swept: Swept = NOTHING_SWEPT, split_batch: SplitBatch = whole
) -> StepOptions:
    """Return the options of the recipe's training step. Here "auto" stands for float32."""
    parts = build_parts(config, swept=swept)
    dtype = "bfloat16" if config.matmul_dtype == "bfloat16" else "float32"
    return StepOptions(
        model=parts.model.clone(matmul_dtype=dtype),
        optimizer=parts.optimizer,
        noise=config.training_noise,
        average_decay=config.average_decay,
        neighbor_weight=config.neighbor_weight,
        dropout_epochs=config.dropout_epochs,
        split_batch=split_batch,
    )


def first_state(config: Config) -> TrainState:
    """Return the state of a run before its first step."""
    return first_states([config])[0]


def first_states(configs: Sequence[Config]) -> list[TrainState]:
    """Return first states of recipes that differ only in seeds and scalars, by one program."""
    init = _init_program(compiled_part(configs[0]))
    return [init(root_key(config.seed)) for config in configs]


def or_first(loaded: Sequence[TrainState | None], configs: Sequence[Config]) -> list[TrainState]:
    """Return the states, with first ones where there is none."""
    saved = [state for state in loaded if state is not None]
    if len(saved) == len(loaded):
        return saved
    first = first_states(configs)
    pairs = zip(loaded, first, strict=True)
    return [begun if state is None else state for state, begun in pairs]


def state_shapes(config: Config) -> TrainState:
    """Return first_state as shapes and dtypes alone: what a checkpoint has to fit."""
    return jax.eval_shape(_init_program(compiled_part(config)), root_key(config.seed))


@functools.lru_cache
def _init_program(config: Config) -> Callable[[jax.Array], TrainState]:
    # LLVM's optimisation of the 18 initialisers, which run once, takes longer than all else.
    fast = {"xla_backend_optimization_level": 0}
    return jax.jit(functools.partial(init_state, parts=build_parts(config)), compiler_options=fast)


def compiled_part(config: Config) -> Config:
    """Return the recipe with options that no program uses set to fixed values: a key to share."""
    return replace(config, dataset="auto", seed=0, epochs=1, early_stop_patience=1)


def finished(state: TrainState, config: Config) -> bool:
    """Return whether all epochs are done, or the early stop has come.

    It comes after early_stop_patience epochs without a new best at the learning rate's floor.
    """
    if int(state.epoch) >= config.epochs:
        return True
    at_floor = float(state.plateau.scale) <= config.min_scale * (1 + ROUNDING)
    last_progress = max(int(state.best_epoch), int(state.drop_epoch))
    return at_floor and int(state.epoch) - last_progress >= config.early_stop_patience


def epochs_left(state: TrainState, config: Config) -> int:
    """Return about how many epochs a run still takes.

    Each drop of the learning rate that is to come takes its share of the epochs done so far. It is
    never less than what patience allows if nothing improves, nor more than the recipe's epochs.
    """
    done = int(state.epoch)
    to_come = _drops(float(state.plateau.scale), config)
    if to_come:
        guess = done * to_come / _drops(1.0, config)
        waited = int(state.plateau.plateau_count)
        patience = to_come * config.plateau_patience + config.early_stop_patience
    else:
        guess = 0.0
        waited = done - max(int(state.best_epoch), int(state.drop_epoch))
        patience = config.early_stop_patience
    return min(config.epochs - done, math.ceil(max(guess, patience - waited)))


def _drops(scale: float, config: Config) -> int:
    """Return how often the plateau lowers a scale until it is at the floor."""
    exact = math.log(config.min_scale / scale) / math.log(config.plateau_factor)
    return max(0, math.ceil(exact - 1e-4))  # the scale is f32
