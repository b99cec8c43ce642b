"""Processes that train one program together, each with devices of its own.

The first one alone has the files.
"""

import contextlib
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
MESSAGE_BYTES = 1000


@dataclass(frozen=True)
class Processes:
    """All processes, and which of them this one is. Each of them calls every method."""

    count: int = 1
    index: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that has the files."""
        return self.index == 0

    def gather(self, text: str) -> list[str]:
        """Return the texts of all processes, in their order, cut to a thousand bytes."""
        if self.count == 1:
            return [text]
        message = text.encode(errors="replace")[:MESSAGE_BYTES].ljust(MESSAGE_BYTES, b"\0")
        padded = np.frombuffer(message, np.uint8)
        rows = _in_thread(lambda: multihost_utils.process_allgather(padded))
        return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in rows]

    def any(self, value: bool) -> bool:
        """Return whether the value is true in one process or more."""
        return "True" in self.gather(str(value))

    def from_first(self, tree: Any, like: Any) -> Any:
        """Return the first process's arrays on every process.

        tree counts on the first alone. like: the tree, as arrays or shapes.
        """
        if self.count == 1:
            return tree

        shapes, structure = jax.tree.flatten(jax.eval_shape(keys_to_data, like))
        sizes = [math.prod(x.shape) * x.dtype.itemsize for x in shapes]
        ends = np.cumsum([0, *sizes])

        # Bytes in one message: exact, and as fast for many leaves as for one.
        packed = np.zeros(ends[-1], np.uint8)
        if self.first:
            leaves = [np.asarray(x) for x in jax.tree.leaves(keys_to_data(tree))]
            packed = np.concatenate([leaf.reshape(-1).view(np.uint8) for leaf in leaves])
        packed = _in_thread(lambda: np.asarray(multihost_utils.broadcast_one_to_all(packed)))

        arrays = []
        for (start, end), x in zip(itertools.pairwise(ends), shapes, strict=True):
            arrays.append(jnp.asarray(packed[start:end].view(x.dtype).reshape(x.shape)))
        return data_to_keys(jax.tree.unflatten(structure, arrays), like)

    def check_agreement(self, **what: Any) -> None:
        """Raise InputError, in every process, where one began with another value than the first.

        what: values of JSON, by the name that the error gives them.
        """
        for name, value in what.items():
            digests = self.gather(json_digest(value))
            others = [k for k, digest in enumerate(digests) if digest != digests[0]]
            if others:
                raise InputError(
                    f"Process {others[0]} has another {name} than process 0: "
                    "start all with the same options and data"
                )

    @contextlib.contextmanager
    def share_errors(self) -> Iterator[None]:
        """If the block raises an InputError in one process, raise it in every process."""
        mine: InputError | None = None
        try:
            yield
        except InputError as error:
            mine = error
        except OSError as error:
            mine = InputError(refusal(error))

        reasons = self.gather(str(mine or ""))
        if mine:
            raise mine
        for k, reason in enumerate(reasons):
            if reason:
                raise InputError(f"Process {k}: {reason}")


ALONE = Processes()
"""One process that trains by itself."""


def join(
    coordinator: str,
    *,
    processes: int | None = None,
    process_id: int | None = None,
    report: Report,
) -> Processes:
    """Make this process one of several, before any other use of JAX. Raises InputError.

    coordinator: HOST:PORT at which process 0 can be reached by all; or "auto", where the
    cluster's environment names it.
    """
    auto = coordinator == "auto"
    if not auto:
        _check_meeting(coordinator, processes, process_id)
    meeting = "as the cluster's environment says" if auto else f"at {coordinator}"

    stdout = os.fdopen(os.dup(1), "w", errors="replace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Gloo, which connects CPUs, greets there
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself

    def meet() -> Processes:
        address = None if auto else coordinator
        # JAX's own time-out ends the process with a stack trace: ours comes first.
        jax.distributed.initialize(
            address, processes, process_id, initialization_timeout=2 * WAIT_S
        )
        met = Processes(jax.process_count(), jax.process_index())
        devices = {len(jax.local_devices(process)) for process in range(met.count)}
        if len(devices) > 1:
            raise ValueError("each must have as many devices as the others")
        met.gather("")  # Gloo waits half a minute for the first message: it is sent now
        return met

    report(f"Waiting for the other processes {meeting}, at most {WAIT_S} s")
    try:
        met = _in_thread(meet, timeout=WAIT_S)
    except TimeoutError:
        raise InputError(
            f"The processes have not all met {meeting} in {WAIT_S} s: "
            "start all of them with the same coordinator"
        ) from None
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The processes can't meet {meeting} ({brief(error)}): name another coordinator"
        ) from error

    if met.first:
        sys.stdout = stdout  # the others' stays silent
    return met


def joined() -> bool:
    """Return whether this process is one of several."""
    return jax.distributed.is_initialized()


def _check_meeting(coordinator: str, processes: int | None, process_id: int | None) -> None:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"coordinator is {coordinator}: give HOST:PORT, or auto")
    if processes is None or process_id is None:
        raise InputError(
            f"coordinator is {coordinator}: "
            "give process_id too, and how many processes there are; or the coordinator auto"
        )
    if not 0 <= process_id < processes:
        raise InputError(
            f"process_id is {process_id}: "
            f"of {processes} processes it is one of 0 to {processes - 1}"
        )


def _in_thread(wait: Callable[[], T], *, timeout: float | None = None) -> T:
    """Wait for other processes in a thread, so that the main thread still sees signals."""
    return ThreadPoolExecutor(1).submit(wait).result(timeout=timeout)
