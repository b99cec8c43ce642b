"""Sizes, load times and speed of a run's exports, beside jaxae itself: python -m benchmarks.quality.exports checkpoints/released.

Needs the extras onnx, safetensors and stablehlo, onnxruntime and torch. Each file is measured in a process of its own.
"""

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.cli import command, export, messages
from jaxae.cli.options import Source
from jaxae.evaluation.tables import markdown

FILES = (
    "denoiser.onnx",
    "denoiser.stablehlo",
    "denoiser.safetensors",
)
COUNTS = (1, 10_000)
SECONDS = 5.0
"""For how long a function is called to find its fastest call."""


def main(source: Source) -> None:
    """Prints the table of docs/export.md; the run's RUN/export is written anew.

    Args:
        source: The run and its data.
    """
    export.main(source)
    folder, rows = source.directory / "export", []
    for name in (*FILES, "jaxae"):
        messages.say(f"Measuring {name}")
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": ""}
        asked = [
            sys.executable,
            "-m",
            "benchmarks.quality.exports",
            "--measure",
            str(folder / name),
            str(source.directory),
        ]
        found = json.loads(
            subprocess.run(asked, stdout=subprocess.PIPE, check=True, env=environment).stdout
        )
        size = f"{(folder / name).stat().st_size / 1e6:.2f} MB" if name != "jaxae" else ""
        times = [
            f"{1000 * found[key]:,.{1 if found[key] < 0.01 else 0}f} ms"
            for key in ("load", "first", *map(str, COUNTS))
        ]
        rows.append([name, size, found["in"], *times])
    columns = ["", "size", "run in", "load", "first image", "1 image", "10,000 images"]
    print(markdown(columns, rows))


def measure(path: Path, run_dir: Path) -> dict[str, Any]:
    """Seconds to load a file, to run it the first time, and then for each number of images."""
    opened(path, run_dir)  # which imports what it needs
    start = time.perf_counter()
    function, runtime = opened(path, run_dir)
    loaded = time.perf_counter()
    images = np.random.default_rng(0).random((max(COUNTS), 28, 28, 1), np.float32)
    function(images[:1])
    first = time.perf_counter()
    fastest = {
        str(count): fastest_seconds(functools.partial(function, images[:count])) for count in COUNTS
    }
    return {"in": runtime, "load": loaded - start, "first": first - loaded, **fastest}


def opened(path: Path, run_dir: Path) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """What runs the file, compiled where that is JAX's way; "jaxae" is jaxae.reconstruct itself."""
    if path.name == "jaxae":
        import jaxae

        run = jaxae.load(run_dir)
        return lambda images: jaxae.reconstruct(run, images), "jaxae"
    if path.suffix == ".stablehlo":
        import jax

        program = jax.jit(jax.export.deserialize(bytearray(path.read_bytes())).call)
        return lambda images: np.asarray(program(images)), f"jax {jax.__version__}"
    from jaxae.export.read_back import READERS

    return READERS[path.suffix[1:]](path)


def fastest_seconds(function: Callable[[], Any]) -> float:
    """The time of the fastest of three calls or more: others' work on the machine only adds to it."""
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
