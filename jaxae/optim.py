"""The optimiser, and the plateau that stands beside it."""

import optax
from optax.contrib import reduce_on_plateau


def make_optimizer(*, learning_rate: float, weight_decay: float, clip_norm: float) -> optax.GradientTransformation:
    """Global-norm clipping, then AdamW on all parameters (Loshchilov & Hutter 2019)."""
    return optax.chain(optax.clip_by_global_norm(clip_norm), optax.adamw(learning_rate, weight_decay=weight_decay))


def make_plateau(*, factor: float, patience: int, min_scale: float) -> optax.GradientTransformationExtraArgs:
    """A scale for the updates: times factor after `patience` updates whose value was not 0.01 % below the best.

    Updated once an epoch with the validation loss. PyTorch's ReduceLROnPlateau(patience - 1) takes the same steps.
    """
    return reduce_on_plateau(factor=factor, patience=patience, min_scale=min_scale, rtol=1e-4)
