"""Switches of JAX under which jaxae's numbers would be others, or its programs would not run.

A user may have them on for other work. Every public function computes under the usual values.
"""

import contextlib
from collections.abc import Iterator

import jax

USUAL = {
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_debug_nans": False,  # training checks its losses itself
    "jax_debug_infs": False,
    "jax_disable_jit": False,  # compiled ahead, programs can't do without
}
"""Switches by name, each with JAX's own default."""


@contextlib.contextmanager
def usual_switches() -> Iterator[None]:
    """Compute under the usual switches of JAX, in this thread, and leave the user's as they are.

    Also a decorator. Where all are at their defaults it changes nothing, so that a program compiled
    outside is found again.
    """
    with contextlib.ExitStack() as stack:
        for name, value in USUAL.items():
            if getattr(jax.config, name) != value:
                switch = getattr(jax, name.removeprefix("jax_"))
                stack.enter_context(switch(value))
        yield


def set_usual_switches() -> None:
    """Set the usual switches for the whole process: for commands, whose process is their own."""
    for name, value in USUAL.items():
        if getattr(jax.config, name) != value:
            jax.config.update(name, value)
