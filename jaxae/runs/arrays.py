"""The only importer of Orbax: trees of arrays as files, and back."""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

for name in ("absl", "asyncio"):  # Orbax narrates every save, and prints a failure, array by array, before it raises it
    logging.getLogger(name).setLevel(logging.CRITICAL)


def write_items(folder: Path, items: dict[str, Any]) -> None:
    """Writes trees of arrays below a folder that is not there yet, each under its name. Raises OSError, ValueError."""
    if jax.process_count() > 1:  # where Orbax refuses what lies on one process's devices alone
        items = jax.tree.map(np.asarray, items)
    try:
        with _without_other_processes():
            ocp.save_checkpointables(folder, items)
    except ValueError as error:
        if refused := re.search(r"os_error_code='(\d+)'", str(error)):  # the reason, at the end of five lines
            raise OSError(int(refused[1]), os.strerror(int(refused[1]))) from error
        raise
    for mark in folder.rglob("commit_success.txt"):
        mark.write_text("")  # Orbax wants it to be there; what it writes into it is a path of this machine


def read_items(folder: Path, shapes: dict[str, Any]) -> dict[str, Any]:
    """The trees of these names and shapes, on this process's first device: the one that saved them may not be here."""
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), shapes)
    with _without_other_processes():
        return ocp.load_checkpointables(folder, target)


@contextlib.contextmanager
def _without_other_processes() -> Iterator[None]:
    """Keeps Orbax from waiting for other processes: the first one alone has the files."""
    if jax.process_count() == 1:
        return (yield)
    from orbax.checkpoint.experimental.v1._src.saving import execution

    context, me = ocp.Context(), jax.process_index()
    context.multiprocessing.primary_host, context.multiprocessing.active_processes = me, {me}
    context.multiprocessing.barrier_sync_key_prefix = f"process-{me}"
    # Orbax 0.12 asks every process whether it saves to the same path, also those that are not active.
    with context, mock.patch.object(execution, "_check_directory_consistency"):
        yield
