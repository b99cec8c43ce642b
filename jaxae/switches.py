"""What a user's process may have done to JAX, so that jaxae's numbers or programs would fail.

Switches of JAX may be on for other work: every public function computes under the usual values.
And the process may have been forked after JAX was used, where JAX hangs.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import jax

from jaxae.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")

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


def as_here(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function for another thread: with the usual switches and this thread's precision.

    JAX's switches and its precision of matrix products are a thread's own.
    """
    precision = jax.default_matmul_precision.value

    def there(*arguments: P.args, **options: P.kwargs) -> T:
        with usual_switches(), jax.default_matmul_precision(precision):
            return function(*arguments, **options)

    return there


def set_usual_switches() -> None:
    """Set the usual switches for the whole process: for commands, whose process is their own."""
    for name, value in USUAL.items():
        if getattr(jax.config, name) != value:
            jax.config.update(name, value)


_computing: int | None = None
"""The process in which jaxae has computed; a forked one inherits its parent's number."""


def refuse_after_fork() -> None:
    """Raise InputError in a process that was forked after jaxae had computed: JAX would hang."""
    global _computing
    if _computing not in (None, os.getpid()):
        raise InputError(
            "This process was forked after JAX was used in its parent, and JAX would hang in it: "
            "start it with multiprocessing's spawn, or with joblib's loky"
        )
    _computing = os.getpid()
