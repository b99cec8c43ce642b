"""The parts of gpu.py that time steps: jaxae beside PyTorch, many models, larger batches and layers."""

import importlib.util
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import jax
from scaling import Size, program
from train_speed import RACERS, Worker

from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent

Found = Iterator[dict[str, Any]]


class Sizes(NamedTuple):
    """How much the parts do."""

    config: Config
    options: list[str]
    """The recipe again, for the command line."""
    members: list[Size]
    others: list[Size]


FULL = Sizes(
    config=Config(),
    options=[],
    members=[(count, 128, 1.0) for count in (1, 4, 16, 64, 256, 1024)],
    others=[(1, 1024, 1.0), (1, 8192, 1.0), (1, 128, 4.0), (1, 1024, 4.0)],
)
SMALL = Sizes(
    config=Config(dataset="synthetic", epochs=2, widths=(64, 16)),
    options=["--dataset", "synthetic", "--widths", "64", "16"],
    members=[(count, 32, 0.25) for count in (1, 2)],
    others=[(1, 64, 0.25), (1, 32, 0.5)],
)


def race(sizes: Sizes, until: float) -> Found:
    """Milliseconds a step of the default recipe, by jaxae and by PyTorch, in turn. PyTorch is there only on the same device."""
    names = ["jaxae"]
    if reason := no_torch():
        yield {"left_out": reason}
    else:
        names += [name for name in (*RACERS[1:], "graphed") if name != "graphed" or jax.devices()[0].platform == "gpu"]
    workers = {name: Worker(name, sizes.config.dataset) for name in names}
    errors: dict[str, str] = {}

    def ask(name: str) -> Any:
        try:
            return workers[name].ask()
        except InputError as error:
            errors[name] = str(error)

    with ThreadPoolExecutor() as pool:
        list(pool.map(ask, names))  # they compile beside each other
    laps: dict[str, list[float]] = {name: [] for name in names}
    longest, began = 0.0, time.monotonic()
    while len(laps["jaxae"]) < 7 and began + longest < until and "jaxae" not in errors:
        for name in names:
            if name not in errors and (lap := ask(name)) is not None:
                laps[name].append(lap)
        longest, began = max(longest, time.monotonic() - began), time.monotonic()
        ms = {name: median(each) for name, each in laps.items() if each}
        rates = {name: sizes.config.batch_size / each * 1e3 for name, each in ms.items()}
        yield {"rounds": len(laps["jaxae"]), "ms_a_step": ms, "images_per_s": rates}
    if errors:
        raise InputError("; ".join(f"{name}: {error}" for name, error in errors.items()))


def no_torch() -> str | None:
    """Why PyTorch can't race, or None where it can."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed: pip install -e '.[torch]' brings it"
    import torch

    on_gpu = jax.devices()[0].platform == "gpu"
    return "PyTorch has no CUDA here: install one that has" if on_gpu and not torch.cuda.is_available() else None


def members(sizes: Sizes, until: float) -> Found:
    """Model·images a second of so many models in one program, and the most memory that they took."""
    yield from time_programs(sizes, sizes.members, until)


def batch_and_width(sizes: Sizes, until: float) -> Found:
    """The same for one model with larger batches and layers."""
    yield from time_programs(sizes, sizes.others, until)


def time_programs(sizes: Sizes, wanted: list[Size], until: float) -> Found:
    """A row for each size. One that does not fit ends it, and so does one for which there may be no time."""
    images, rows, longest = load_dataset(sizes.config.dataset, report=silent).train.images, [], 0.0
    for size in wanted:
        began = time.monotonic()
        if began + 2 * longest > until:
            yield {"left_out": f"no time for {size[0]} models, batches of {size[1]}, width ×{size[2]:g} and what follows"}
            return
        row: dict[str, Any] = dict(zip(("members", "batch_size", "width"), size, strict=True))
        try:
            run = program(replace(sizes.config, average_decay=0.0), images, size)
            run()  # the first is slower
            seconds = median(run() for _ in range(3))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            yield {"left_out": f"{size[0]} models, batches of {size[1]}, width ×{size[2]:g} do not fit into the memory"}
            return
        del run
        rows.append(row | {"ms_a_step": seconds * 1e3, "model_images_per_s": size[0] * size[1] / seconds, **peak_memory()})
        yield {"rows": rows}
        longest = max(longest, time.monotonic() - began)


def peak_memory() -> dict[str, int]:
    """The most that this process has had of the device's memory, where the device tells."""
    peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {} if peak is None else {"peak_memory_mb": round(peak / 2**20)}
