"""The parts of gpu.py that time steps: jaxae beside PyTorch, many models, larger batches and layers."""

import importlib.util
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from statistics import median
from typing import Any, NamedTuple

import jax

from benchmarks.scaling.scaling import Size, program
from benchmarks.speed.racers import RACERS, Worker
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent

Found = Iterator[dict[str, Any]]


class Sizes(NamedTuple):
    """How much the parts do."""

    config: Config
    options: list[str]
    """The recipe again, for the command line."""
    racers: tuple[str, ...]
    rounds: int
    members: list[Size]
    others: list[Size]


FULL = Sizes(
    config=Config(),
    options=[],
    racers=(*RACERS, "graphed"),
    rounds=7,
    members=[(count, 128, 1.0) for count in (1, 4, 16, 64, 256, 1024)],
    others=[(1, 1024, 1.0), (1, 8192, 1.0), (1, 128, 4.0), (1, 1024, 4.0)],
)
SMALL = Sizes(
    config=Config(dataset="synthetic", epochs=2, widths=(64, 16)),
    options=["--dataset", "synthetic", "--widths", "64", "16"],
    racers=("jaxae", "tuned", "graphed"),  # torch.compile takes minutes on a busy CPU
    rounds=2,
    members=[(count, 32, 1.0) for count in (1, 2)],
    others=[(1, 64, 1.0), (1, 32, 2.0)],
)


def race(sizes: Sizes, until: float) -> Found:
    """Milliseconds a step of the default recipe, by jaxae and by PyTorch, in turn. PyTorch is there only on the same device."""
    reason, on_gpu = no_torch(), jax.devices()[0].platform == "gpu"
    if reason:
        yield {"left_out": reason}
    ours = [name for name in sizes.racers if name.startswith("jaxae")]
    names = ours if reason else [name for name in sizes.racers if name != "graphed" or on_gpu]
    workers, errors = start(names, sizes.config.dataset, seconds=(until - time.monotonic()) * 2 / 3)
    laps: dict[str, list[float]] = {name: [] for name in workers}
    longest, began = 0.0, time.monotonic()
    while len(laps.get("jaxae", range(sizes.rounds))) < sizes.rounds and began + longest < until:
        for name, worker in workers.items():
            laps[name].append(worker.ask())
        longest, began = max(longest, time.monotonic() - began), time.monotonic()
        ms = {name: median(each) for name, each in laps.items()}
        rates = {name: sizes.config.batch_size / each * 1e3 for name, each in ms.items()}
        yield {"rounds": len(laps["jaxae"]), "ms_a_step": ms, "images_per_s": rates}
    if errors:
        raise InputError("; ".join(f"{name}: {error}" for name, error in errors.items()))


def start(
    names: list[str], dataset: str, *, seconds: float
) -> tuple[dict[str, Worker], dict[str, str]]:
    """The racers that are ready after so long, and why the others are not."""
    workers = {name: Worker(name, dataset) for name in names}
    with ThreadPoolExecutor(len(names)) as pool:  # they compile beside each other
        asked = {name: pool.submit(worker.ask) for name, worker in workers.items()}
        late = wait(asked.values(), timeout=seconds).not_done
        for name, answer in asked.items():
            if answer in late:
                workers[name].process.kill()
        errors = {
            name: f"not ready after {seconds:.0f} s"
            for name, answer in asked.items()
            if answer in late
        }
        errors |= {
            name: str(answer.exception())
            for name, answer in asked.items()
            if name not in errors and answer.exception()
        }
    return {name: worker for name, worker in workers.items() if name not in errors}, errors


def no_torch() -> str | None:
    """Why PyTorch can't race, or None where it can."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed: pip install -e '.[torch]' brings it"
    import torch

    on_gpu = jax.devices()[0].platform == "gpu"
    return (
        "PyTorch has no CUDA here: install one that has"
        if on_gpu and not torch.cuda.is_available()
        else None
    )


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
            yield {
                "left_out": f"no time for {size[0]} models, batches of {size[1]}, width ×{size[2]:g} and what follows"
            }
            return
        row: dict[str, Any] = dict(zip(("members", "batch_size", "width"), size, strict=True))
        try:
            run = program(sizes.config, images, size)
            run()  # the first is slower
            seconds = median(run() for _ in range(3))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            yield {
                "left_out": f"{size[0]} models, batches of {size[1]}, width ×{size[2]:g} do not fit into the memory"
            }
            return
        del run
        rows.append(
            row
            | {
                "ms_a_step": seconds * 1e3,
                "model_images_per_s": size[0] * size[1] / seconds,
                **peak_memory(),
            }
        )
        yield {"rows": rows}
        longest = max(longest, time.monotonic() - began)


def peak_memory() -> dict[str, int]:
    """The most that this process has had of the device's memory, where the device tells."""
    peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {} if peak is None else {"peak_memory_mb": round(peak / 2**20)}
