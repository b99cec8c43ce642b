"""Several processes that run one program together, each with devices of its own; the first one alone has the files."""

import contextlib
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxae.core.rng import data_to_keys, keys_to_data
from jaxae.digests import json_digest
from jaxae.errors import InputError, Report, brief, refusal

T = TypeVar("T")
WAIT_S = 120


def join(
    coordinator: str, *, processes: int | None = None, process_id: int | None = None, report: Report
) -> None:
    """Makes this process one of several; before any other use of JAX. Raises InputError.

    coordinator: HOST:PORT at which process 0 can be reached by all, or "auto": the cluster's own environment says it all.
    """
    auto = coordinator == "auto"
    host, _, port = coordinator.rpartition(":")
    if not auto and not (host and port.isdecimal()):
        raise InputError(f"--coordinator is {coordinator}: give HOST:PORT, or auto")
    if not auto and (processes is None or process_id is None):
        raise InputError(
            f"--coordinator is {coordinator}: give --processes and --process-id too, or --coordinator auto"
        )
    if processes is not None and process_id is not None and not 0 <= process_id < processes:
        raise InputError(
            f"--process-id is {process_id}: of {processes} processes it is one of 0 to {processes - 1}"
        )
    meeting = "as the cluster's environment says" if auto else f"at {coordinator}"
    stdout = os.fdopen(os.dup(1), "w", errors="replace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Gloo, which carries what CPUs say, greets there
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself

    def meet() -> None:
        # JAX's own time-out ends the process, with a stack trace; ours comes first.
        address = None if auto else coordinator
        jax.distributed.initialize(
            address, processes, process_id, initialization_timeout=2 * WAIT_S
        )
        if len({len(jax.local_devices(process)) for process in range(jax.process_count())}) > 1:
            raise ValueError("each must have as many devices as the others")
        gather("")  # Gloo gives the first that all say to each other half a minute: it is said now

    report(f"Waiting for the other processes {meeting}, at most {WAIT_S} s")
    try:
        _in_thread(meet, timeout=WAIT_S)
    except TimeoutError:
        raise InputError(
            f"The processes have not all met {meeting} in {WAIT_S} s: start all of them with the same --coordinator"
        ) from None
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The processes can't meet {meeting} ({brief(error)}): name another --coordinator"
        ) from error
    if is_first():
        sys.stdout = stdout  # the others' stays silent


def joined() -> bool:
    """Whether this process is one of several."""
    return jax.distributed.is_initialized()


def is_first() -> bool:
    """Whether this process is the one that has the files."""
    return jax.process_index() == 0


def from_first(tree: Any, like: Any) -> Any:
    """The first process's arrays, on every process. like: the tree, as arrays or shapes; tree counts on the first alone."""
    if jax.process_count() == 1:
        return tree
    shapes, structure = jax.tree.flatten(jax.eval_shape(keys_to_data, like))
    sizes = np.cumsum([0, *(math.prod(x.shape) * x.dtype.itemsize for x in shapes)])
    packed = np.zeros(
        sizes[-1], np.uint8
    )  # bytes, in one message: exact, and as fast for many leaves as for one
    if is_first():
        packed = np.concatenate(
            [np.asarray(x).reshape(-1).view(np.uint8) for x in jax.tree.leaves(keys_to_data(tree))]
        )
    packed = _in_thread(lambda: np.asarray(multihost_utils.broadcast_one_to_all(packed)))
    parts = [packed[a:b] for a, b in itertools.pairwise(sizes)]
    leaves = [
        jnp.asarray(part.view(x.dtype).reshape(x.shape))
        for part, x in zip(parts, shapes, strict=True)
    ]
    return data_to_keys(jax.tree.unflatten(structure, leaves), like)


def gather(text: str) -> list[str]:
    """The texts of all processes, in their order; of each its first thousand bytes."""
    if jax.process_count() == 1:
        return [text]
    padded = np.frombuffer(text.encode(errors="replace")[:1000].ljust(1000, b"\0"), np.uint8)
    rows = _in_thread(lambda: multihost_utils.process_allgather(padded))
    return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in rows]


def _in_thread(wait: Callable[[], T], *, timeout: float | None = None) -> T:
    """Waits for other processes in a thread, so that the main thread still sees signals."""
    return ThreadPoolExecutor(1).submit(wait).result(timeout=timeout)


def check_agreement(**what: Any) -> None:
    """Raises InputError, in every process, where one has been started with another value (JSON) than the first."""
    for name, value in what.items():
        digests = gather(json_digest(value))
        if others := [k for k, digest in enumerate(digests) if digest != digests[0]]:
            raise InputError(
                f"Process {others[0]} has another {name} than process 0: start all with the same options and data"
            )


@contextlib.contextmanager
def share_errors() -> Iterator[None]:
    """If the block raises an InputError in one process, every process raises it."""
    mine: InputError | None = None
    try:
        yield
    except InputError as error:
        mine = error
    except OSError as error:
        mine = InputError(refusal(error))
    reasons = gather(str(mine or ""))
    if mine:
        raise mine
    for k, reason in enumerate(reasons):
        if reason:
            raise InputError(f"Process {k}: {reason}")
