"""Measure the exports of a run: python -m benchmarks.quality.exports checkpoints/released

Needs the extras onnx, safetensors, stablehlo and torch, and onnxruntime. Each file is measured in a
process of its own.
"""

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import ROOT
from jaxae.cli import command, export, messages
from jaxae.cli.options import Source
from jaxae.evaluation.tables import markdown

FILES = ("denoiser.onnx", "denoiser.stablehlo", "denoiser.safetensors", "jaxae")
"""What is measured; jaxae is jaxae.reconstruct itself."""
MANY = 10_000
SECONDS = 5.0
"""For how long a function is called to find its fastest call."""


class Measured(NamedTuple):
    """Seconds."""

    runtime: str
    load: float
    first: float
    """The first image after loading, which compiles."""
    one: float
    many: float
    """MANY images."""


def main(source: Source) -> None:
    """Export the run again, and print sizes, load times and speed.

    Args:
        source: The run and its data.
    """
    export.main(source)
    folder = source.directory.absolute() / "export"
    rows = []
    for name in FILES:
        messages.say(f"Measuring {name}")
        path = folder / name
        size = f"{path.stat().st_size / 1e6:.2f} MB" if path.is_file() else ""
        found = measure_elsewhere(path, source.directory.absolute())
        rows.append([name, size, found.runtime, *(show(seconds) for seconds in found[1:])])
    columns = ["", "size", "run in", "load", "first image", "1 image", f"{MANY:,} images"]
    print(markdown(columns, rows))


def show(seconds: float) -> str:
    """Return milliseconds, with a decimal if there are few."""
    return f"{1000 * seconds:,.{1 if seconds < 0.01 else 0}f} ms"


def measure_elsewhere(path: Path, run_dir: Path) -> Measured:
    """Measure a file in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.quality.exports", "--measure"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": ""}
    done = subprocess.run(
        [*words, str(path), str(run_dir)],
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
        cwd=ROOT,
    )
    return Measured(*json.loads(done.stdout))


def measure(path: Path, run_dir: Path) -> Measured:
    """Load a file, and run it on one image and on many."""
    opened(path, run_dir)  # which imports what it needs
    start = time.perf_counter()
    function, runtime = opened(path, run_dir)
    loaded = time.perf_counter()

    images = np.random.default_rng(0).random((MANY, 28, 28, 1), np.float32)
    function(images[:1])
    first = time.perf_counter()
    one, many = (
        fastest_seconds(functools.partial(function, images[:count])) for count in (1, MANY)
    )
    return Measured(runtime, loaded - start, first - loaded, one, many)


def opened(path: Path, run_dir: Path) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """Return a function of images, compiled if JAX runs it, and what runs it."""
    import jax

    import jaxae
    from jaxae.export.read_back import READERS

    if path.name == "jaxae":
        run = jaxae.load(run_dir)
        return functools.partial(jaxae.reconstruct, run), "jaxae"
    if path.suffix == ".stablehlo":
        program = jax.jit(jax.export.deserialize(bytearray(path.read_bytes())).call)
        return lambda images: np.asarray(program(images)), f"jax {jax.__version__}"
    loaded = READERS[path.suffix[1:]](path)
    return loaded.function, loaded.runtime


def fastest_seconds(function: Callable[[], Any]) -> float:
    """Return the time of the fastest of three calls or more: other work only adds to it."""
    function()
    times: list[float] = []
    while len(times) < 3 or sum(times) < SECONDS:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*map(Path, sys.argv[2:]))))
    else:
        command.run(main)
