"""The only importer of Orbax: trees of arrays as files, and back."""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as ocp_v0
from orbax.checkpoint import v1 as ocp

Hook = Callable[["sys.UnraisableHookArgs"], Any]

for name in (
    "absl",
    "asyncio",
):  # Orbax narrates every save, and prints a failure, array by array, before it raises it
    logging.getLogger(name).setLevel(logging.CRITICAL)


def write_items(folder: Path, items: dict[str, Any]) -> None:
    """Writes trees of arrays below a folder that is not there yet, each under its name. Raises OSError, ValueError."""
    # Of JAX's arrays Orbax would also write where they lie, which takes half as long again, and refuses one process's own.
    here = jax.tree.map(np.asarray, items)
    report_lost, sys.unraisablehook = sys.unraisablehook, _without_closed_loops(sys.unraisablehook)
    try:
        if jax.process_count() == 1:
            ocp.save_checkpointables(folder, here)
        else:
            _write_alone(folder, here)
    except ValueError as error:
        if refused := re.search(
            r"os_error_code='(\d+)'", str(error)
        ):  # the reason, at the end of five lines
            raise OSError(int(refused[1]), os.strerror(int(refused[1]))) from error
        raise
    sys.unraisablehook = report_lost  # after a failure it stays: the other writes end later
    for mark in folder.rglob("commit_success.txt"):
        mark.write_text(
            ""
        )  # Orbax wants it to be there; what it writes into it is a path of this machine


def _without_closed_loops(report: Hook) -> Hook:
    """The hook, but silent about each of Orbax's other writes that end after the failed one, which it has raised."""
    return lambda lost: None if str(lost.exc_value) == "Event loop is closed" else report(lost)


def _write_alone(folder: Path, items: dict[str, Any]) -> None:
    """The same files, from one of several processes: Orbax's v1 asks all processes whether they save to the same path."""
    me = jax.process_index()
    alone = ocp_v0.options.MultiprocessingOptions(
        primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"process-{me}"
    )
    handlers = {
        name: ocp_v0.PyTreeCheckpointHandler(multiprocessing_options=alone) for name in items
    }
    options = ocp_v0.CompositeOptions(multiprocessing_options=alone)
    together = ocp_v0.CompositeCheckpointHandler(composite_options=options, **handlers)
    with ocp_v0.Checkpointer(together, multiprocessing_options=alone) as checkpointer:
        saved = {name: ocp_v0.args.PyTreeSave(item) for name, item in items.items()}
        checkpointer.save(folder, ocp_v0.args.Composite(**saved))


def read_items(folder: Path, shapes: dict[str, Any]) -> dict[str, Any]:
    """The trees of these names and shapes, on this process's first device: the one that saved them may not be here."""
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), shapes)
    with _without_other_processes():
        return ocp.load_checkpointables(folder, target)


@contextlib.contextmanager
def _without_other_processes() -> Iterator[None]:
    """Keeps Orbax's v1 from waiting for other processes: the first one alone has the files."""
    context, me = ocp.Context(), jax.process_index()
    context.multiprocessing.primary_host, context.multiprocessing.active_processes = me, {me}
    context.multiprocessing.barrier_sync_key_prefix = f"process-{me}"
    with context:
        yield
