"""Write trees of arrays as files, and read them: the only importer of Orbax."""

import contextlib
import inspect
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as ocp_v0
from orbax.checkpoint import v1 as ocp

# Orbax logs every save, and prints a failure, array by array, before it raises it.
for name in ("absl", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

UNREADABLE = re.compile(r"[*?\[\\\ud800-\udfff]")
"""What Orbax takes for a pattern in a path, and bytes that are not UTF-8."""


def write_items(folder: Path, items: dict[str, Any]) -> None:
    """Write each tree of arrays below a new folder, under its name. Raises OSError, ValueError."""
    # Orbax would write where JAX's arrays lie, which takes half as long again, and it refuses
    # arrays that one process alone has.
    here = jax.tree.map(np.asarray, items)

    try:
        with _one_error(), _plain_path(folder) as plain:
            if jax.process_count() == 1:
                ocp.save_checkpointables(plain, here)
            else:
                _write_alone(plain, here)
    except ValueError as error:
        # The system's reason is at the end of five lines.
        refused = re.search(r"os_error_code='(\d+)'", str(error))
        if refused is None:
            raise
        number = int(refused[1])
        raise OSError(number, os.strerror(number)) from error

    # Orbax needs this file to exist, and writes a path of this machine into it.
    for mark in folder.rglob("commit_success.txt"):
        mark.write_text("")


def read_items(folder: Path, shapes: dict[str, Any]) -> dict[str, Any]:
    """Return the trees of these names and shapes, on this process's first device.

    The device that saved them may not be here. Raises OSError if a file can't be opened, and
    whatever Orbax raises for damaged files.
    """
    # Orbax would take a file that may not be read for a damaged one.
    for path in folder.rglob("*"):
        if path.is_file():
            path.open("rb").close()

    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])

    def placed(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device)

    # One at a time: after a failure Orbax forgets the others, and Python warns of each.
    items: dict[str, Any] = {}
    with _without_other_processes(), _one_error(), _plain_path(folder) as plain:
        for name, tree in shapes.items():
            target = {name: jax.tree.map(placed, tree)}
            items |= ocp.load_checkpointables(plain, target)
    return items


def _write_alone(folder: Path, items: dict[str, Any]) -> None:
    """Write the same files from one of several processes.

    Orbax's v1 would ask all processes whether they save to the same path.
    """
    me = jax.process_index()
    alone = ocp_v0.options.MultiprocessingOptions(
        primary_host=me,
        active_processes={me},
        barrier_sync_key_prefix=f"process-{me}",
    )
    handlers = {
        name: ocp_v0.PyTreeCheckpointHandler(multiprocessing_options=alone) for name in items
    }
    options = ocp_v0.CompositeOptions(multiprocessing_options=alone)
    together = ocp_v0.CompositeCheckpointHandler(composite_options=options, **handlers)

    with ocp_v0.Checkpointer(together, multiprocessing_options=alone) as checkpointer:
        saved = {name: ocp_v0.args.PyTreeSave(item) for name, item in items.items()}
        checkpointer.save(folder, ocp_v0.args.Composite(**saved))


@contextlib.contextmanager
def _plain_path(folder: Path) -> Iterator[Path]:
    """Yield a path of the folder that Orbax and TensorStore take: through a link, if need be.

    Elsewhere than they expect it, a checkpoint would be written and could not be read.
    """
    if not UNREADABLE.search(str(folder)):
        yield folder
        return

    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "link"
        link.symlink_to(folder.parent.absolute(), target_is_directory=True)
        yield link / folder.name


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    """Keep quiet about Orbax's other reads and writes that end after the one that failed."""
    report = sys.unraisablehook

    def hook(lost: "sys.UnraisableHookArgs") -> None:
        closed = str(lost.exc_value) == "Event loop is closed"
        if not closed and not inspect.iscoroutine(lost.object):
            report(lost)

    sys.unraisablehook = hook
    yield
    sys.unraisablehook = report  # not after a failure: the others end later


@contextlib.contextmanager
def _without_other_processes() -> Iterator[None]:
    """Keep Orbax's v1 from waiting for other processes: only the first one has the files."""
    me = jax.process_index()
    context = ocp.Context()
    context.multiprocessing.primary_host = me
    context.multiprocessing.active_processes = {me}
    context.multiprocessing.barrier_sync_key_prefix = f"process-{me}"

    with context:
        yield
