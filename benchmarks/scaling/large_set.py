"""Train on a file of images that is larger than the memory, and on images in memory, in turn."""

import contextlib
import mmap
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.speed.racers import machine
from jaxae.build import first_states
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.core.state import stack_members
from jaxae.data.dataset import Dataset, sample
from jaxae.data.large import Subset, mapped_file
from jaxae.data.load import load_dataset
from jaxae.errors import InputError
from jaxae.train.feed import FromHost, OnDevice, compile_steps
from jaxae.train.loop import fit, settle
from jaxae.train.sharding import Placement

VALIDATED = 30_000
"""Most validation images of the short training."""


def main(
    file: Path,
    gigabytes: float = 2.0,
    side: int = 64,
    steps: int = 100,
    rounds: int = 5,
    limit_gb: float = 3.0,
) -> None:
    """Make the file, train from it and from memory, print what it took, and delete it.

    Args:
        file: The .npy file to make. It must not be there yet.
        gigabytes: Its size.
        side: Height and width of its images, which are RGB.
        steps: Steps of an epoch, on images from all over the file.
        rounds: Epochs from the file, from memory, from the file …; medians count.
        limit_gb: The system refuses this process more memory of its own (RLIMIT_DATA).
    """
    if file.exists():
        raise InputError(f"{file} is there already: name a new file")
    try:
        count = make(file, gigabytes=gigabytes, side=side)
        size = file.stat().st_size / 1e9
        print(f"{machine()}; {count:,} images of {side}×{side}×3, {size:.1f} GB\n")
        measure(file, steps, rounds, limit_gb)
    finally:
        file.unlink(missing_ok=True)


def make(file: Path, *, gigabytes: float, side: int) -> int:
    """Write images of noise on a colour, and return their number."""
    count = int(gigabytes * 1e9 / (side * side * 3))
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)}
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for block in _images(count, side):
            stream.write(block.data)
    return count


def _images(count: int, side: int, block: int = 2000) -> Iterator[np.ndarray]:
    rng = np.random.Generator(np.random.SFC64(0))
    noise = rng.integers(0, 64, (block, side, side, 3), np.uint8)
    for start in range(0, count, block):
        number = min(block, count - start)
        shade = rng.integers(0, 190, (number, 1, 1, 3), np.uint8)
        yield np.roll(noise, start // block, axis=2)[:number] + shade


def measure(file: Path, steps: int, rounds: int, limit_gb: float) -> None:
    """Print the seconds of loading, the memory of a short training, and images a second."""
    unlimited = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit_gb * 1e9), unlimited[1]))
    with anonymous_memory() as found:
        began = time.perf_counter()
        dataset = load_dataset(file, report=messages.say)
        print(f"load: {time.perf_counter() - began:.0f} s", flush=True)

        recipe = settle(Config(dataset=str(file), epochs=1), dataset)
        wanted = steps * recipe.batch_size
        part = dataset._replace(
            train=dataset.train._replace(images=rows(dataset, wanted, 0)),
            validation=dataset.validation.at_most(VALIDATED),
        )
        forget(file, part.train.images)
        fit(recipe, part, report=messages.say)
    resource.setrlimit(resource.RLIMIT_DATA, unlimited)
    print(f"own memory of loading and a first epoch: at most {max(found) / 1e6:.2f} GB")

    from_file, from_memory = [], []
    on_host, on_device = programs(recipe, rows(dataset, wanted, 0))
    for number in range(rounds + 1):
        images = rows(dataset, wanted, 1 + number)
        forget(file, images)
        from_file.append(lap(on_host._replace(images=images), recipe))
        from_memory.append(lap(on_device, recipe))

    ratios = [b / a for a, b in zip(from_file[1:], from_memory[1:], strict=True)]
    for name, seconds in (("the file", from_file), ("memory", from_memory)):
        print(f"from {name}: {wanted / median(seconds[1:]):,.0f} images/s")
    listed = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"speed from the file, of that from memory: {median(ratios):.2f} ({listed})")


def rows(dataset: Dataset, count: int, number: int) -> np.ndarray:
    """Return other training images for each number, from all over the file: a Subset of it."""
    images = dataset.train.images
    assert isinstance(images, Subset)
    chosen = np.roll(sample(len(images), len(images)), -number * count)[:count]
    return Subset(images.array, images.rows[chosen])


def programs(recipe: Config, images: np.ndarray) -> tuple[FromHost, OnDevice]:
    """Return the steps of an epoch on images that stay where they are, and on a copy in memory."""
    on_host = compile_steps([recipe], images, placement=Placement(), on_host=True)
    on_device = compile_steps([recipe], np.asarray(images), placement=Placement())
    assert isinstance(on_host, FromHost)
    assert isinstance(on_device, OnDevice)
    return on_host, on_device


def lap(steps: FromHost | OnDevice, recipe: Config) -> float:
    """Return the seconds of an epoch's steps."""
    state = stack_members(first_states([recipe]))
    began = time.perf_counter()
    _, losses = steps(state, np.ones(1, bool))
    losses.block_until_ready()
    return time.perf_counter() - began


def forget(file: Path, images: np.ndarray) -> None:
    """Take the file's pages out of memory, so that images come from the disk."""
    mapped = mapped_file(images.array if isinstance(images, Subset) else images)
    assert mapped is not None
    mapped.madvise(mmap.MADV_DONTNEED)
    with file.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def anonymous_memory() -> Iterator[list[int]]:
    """Note this process's own memory in kB every 20 ms, without pages of files."""
    done = threading.Event()
    found: list[int] = []

    def watch() -> None:
        while not done.wait(0.02):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    found.append(int(line.split()[1]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    command.run(main)
