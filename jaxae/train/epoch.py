"""The steps of an epoch, compiled once and bound to the data, of one model or of many: the only place that maps."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.build import build_model, build_parts
from jaxae.config import Config
from jaxae.core.corruption import add_gaussian_noise
from jaxae.core.images import to_unit
from jaxae.core.state import TrainState, model_variables
from jaxae.core.step import batch_statistics, end_epoch, eval_step, train_epoch
from jaxae.data.dataset import Dataset
from jaxae.errors import InputError
from jaxae.rng import Stream, derive
from jaxae.train.population import varying
from jaxae.train.sharding import Layout, put

STATISTICS_BATCH = 1000
Outcome = dict[str, Any] | InputError


def bind_epoch(
    configs: Sequence[Config], dataset: Dataset, like: TrainState, *, layout: Layout | None = None
) -> Callable[..., tuple[TrainState, list[Outcome]]]:
    """The steps bound to the data: (state, running: bool[M]) → the next epoch's state, and each member's losses or error.

    like: the state, as arrays or shapes. One recipe has a TrainState. Several, which differ in their seeds and in values of
    SWEEPABLE alone, have TrainStates stacked on a leading axis, over which the same functions are mapped here, and nowhere
    else; a member that is not running keeps its state. layout: how several devices share the work, and where the state is.
    """
    config, several = configs[0], len(configs) > 1
    noise = config.noise_range or config.noise_factor
    shared, states, split = (layout.shared, layout.states, layout.split_batch) if layout else (None, None, _whole)
    images, validation = put((jnp.asarray(dataset.train.images), jnp.asarray(dataset.validation.images)), shared)
    values = put({name: jnp.array([getattr(c, name) for c in configs]) for name in varying(configs)}, states)
    train = compile_epoch(config, like, images, values=values, several=several, layout=layout)
    count = min(config.statistics_images, len(images))
    size = count // -(-count // STATISTICS_BATCH) if count else 0  # batches of one size, and nearly all of the images
    for_statistics = images[: count // size * size].reshape(-1, size, *images.shape[1:]) if count else None

    def statistics(state, images):
        return batch_statistics(state, images, model=build_model(config), noise_factor=noise, split_batch=split)

    def validate(state, images):
        key, images = derive(state.key, Stream.VALIDATION), split(images)  # the same noise in every epoch
        noisy = add_gaussian_noise(key, to_unit(images), std=config.noise_factor)
        return eval_step(model_variables(state), noisy, images, model=build_model(config))

    def end(state, loss, running):
        ended, best = end_epoch(state, loss, plateau=build_parts(config).plateau)
        facts = {"epoch": ended.epoch, "best": best, "learning_rate_scale": state.plateau.scale}
        return _keep(running, ended, state) if several else ended, facts

    if several:
        name = "members" if layout else None
        statistics, validate = (jax.vmap(f, in_axes=(0, None), spmd_axis_name=name) for f in (statistics, validate))
        end = jax.vmap(end)
    statistics, validate = jax.jit(statistics, out_shardings=states), jax.jit(validate, out_shardings=shared)
    end = jax.jit(end, out_shardings=(states, shared))

    def run_epoch(state: TrainState, running: np.ndarray) -> tuple[TrainState, list[Outcome]]:
        state, step_losses = train(state, values, put(running if several else running[0], states), images)
        if for_statistics is not None:
            state = state._replace(batch_stats=statistics(state, for_statistics))
        means = {name: _mean(per_image) for name, per_image in validate(state, validation).items()}
        loss = means["loss"].astype(np.float32)
        state, facts = end(state, loss if several else loss[0], running if several else running[0])
        each_step = np.asarray(step_losses).reshape(len(configs), -1)
        epochs, bests, scales = (np.atleast_1d(facts[name]) for name in ("epoch", "best", "learning_rate_scale"))
        outcomes: list[Outcome] = []
        for k, c in enumerate(configs):
            error = _not_finite(each_step[k], means["loss"][k], int(epochs[k]), c.learning_rate)
            losses = {
                "train_loss": float(np.mean(each_step[k], dtype=np.float64)),
                **{f"validation_{name}": float(mean[k]) for name, mean in means.items()},
                "learning_rate": c.learning_rate * float(scales[k]),
                "best": bool(bests[k]),
            }
            outcomes.append(error or losses)
        return state, outcomes

    return run_epoch


def compile_epoch(
    config: Config,
    like: TrainState,
    images: jax.Array,
    *,
    values: dict[str, jax.Array],
    several: bool,
    layout: Layout | None = None,
    **model_options: Any,
) -> jax.stages.Compiled:
    """train_epoch, compiled: (state, values, running, images) → (state, losses), with the old state donated.

    Here, rather than at the first call, so that fit can say when the wait is over. model_options: changes to the model.
    """

    def epoch(state, values, running, images):
        parts = build_parts(config, **values)
        bound = functools.partial(train_epoch, model=parts.model.clone(**model_options), optimizer=parts.optimizer)
        bound = functools.partial(bound, batch_size=config.batch_size, average_decay=parts.average_decay)
        bound = functools.partial(bound, split_batch=layout.split_batch if layout else _whole)
        trained, losses = bound(state, images, noise_factor=config.noise_range or config.noise_factor)
        return _keep(running, trained, state) if several else trained, losses

    members = jax.vmap(epoch, in_axes=(0, 0, 0, None)) if several else epoch
    if several and layout:
        members = layout.share_members(members, epoch, count=len(like.epoch))
    running, shardings = jax.ShapeDtypeStruct(like.epoch.shape, bool), layout.of_an_epoch if layout else {}
    return jax.jit(members, donate_argnums=0, **shardings).lower(like, values, running, images).compile()


_whole: Callable[[jax.Array], jax.Array] = lambda batch: batch  # noqa: E731


def _keep(running: jax.Array, new: TrainState, old: TrainState) -> TrainState:
    return jax.tree.map(lambda a, b: jnp.where(running, a, b), new, old)


def _not_finite(step_losses: np.ndarray, validation_loss: float, epoch: int, learning_rate: float) -> InputError | None:
    if np.isfinite(step_losses).all() and np.isfinite(validation_loss):
        return None
    broken = np.flatnonzero(~np.isfinite(step_losses)) + 1
    where = f"at step {broken[0]} of epoch {epoch}" if len(broken) else f"in the validation of epoch {epoch}"
    return InputError(
        f"The loss is no longer a finite number {where}. Epoch {epoch - 1} is the last good checkpoint, and the best stays "
        f"the best; to go on, train in another --run-dir with a lower --learning-rate than {learning_rate:g}"
    )


def _mean(values: jax.Array) -> np.ndarray:
    """The exact mean over images, f64[M]: summed in float64, in one order."""
    return np.atleast_1d(np.mean(_wait(values), axis=-1, dtype=np.float64))


def _wait(array: Any) -> np.ndarray:
    """The array once it is computed. Python sees a signal only between its own instructions, hence the polling."""
    while not array.is_ready():
        time.sleep(0.002)
    return np.asarray(array)
