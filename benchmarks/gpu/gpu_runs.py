"""The parts of gpu.py that run jaxae itself: the device, a whole training, its bits, its checkpoints, its export, its tests."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np

from benchmarks import ROOT
from benchmarks.gpu.gpu_speed import Found, Sizes, peak_memory
from jaxae.core.images import to_unit
from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent
from jaxae.evaluation.reconstruction import evaluate
from jaxae.export.fold_batch_norm import fold_batch_norm
from jaxae.export.stablehlo import stablehlo
from jaxae.inference import load, reconstruct
from jaxae.runs import metrics_log
from jaxae.runs.environment import versions
from jaxae.runs.manifest import read_manifest
from jaxae.train.loop import fit_members, settle


def device(sizes: Sizes, until: float) -> Found:
    """What there is to measure."""
    first = jax.devices()[0]
    limit = (first.memory_stats() or {}).get("bytes_limit")
    yield {
        "kind": first.device_kind,
        "platform": first.platform,
        "memory_mb": limit and round(limit / 2**20),
    }
    yield {"versions": versions()}


class EnoughError(Exception):
    """The training has had its time."""


def train(sizes: Sizes, until: float) -> Found:
    """The whole training of the default recipe, as far as the time goes, and its quality on the test images."""
    dataset = load_dataset(sizes.config.dataset, report=silent)
    config, began, compiled = settle(sizes.config, dataset), time.monotonic(), 0.0

    def report(line: str) -> None:
        nonlocal compiled
        if line.startswith("Compiled"):
            compiled = time.monotonic() - began
        if line.startswith("epoch") and time.monotonic() + 20 > until:  # seconds for the evaluation
            raise EnoughError  # the epoch is saved

    with tempfile.TemporaryDirectory() as place:
        finished = True
        try:
            fit_members([config], dataset, [Path(place) / "run"], report=report)
        except EnoughError:
            finished = False
        rows = metrics_log.read(Path(place) / "run")
        best = min(rows, key=lambda row: row["validation_loss"])
        yield {
            "data": dataset.title,
            "finished": finished,
            "epochs": len(rows),
            "train_s": time.monotonic() - began,
        }
        yield {
            "compiled_s": compiled,
            "images_per_s": round(median(row["images_per_s"] for row in rows)),
            **peak_memory(),
        }
        yield {"best_epoch": best["epoch"], "validation_loss": best["validation_loss"]}
        yield {"test": asdict(evaluate(load(Path(place) / "run"), dataset).noisy)}


def bits(sizes: Sizes, until: float) -> Found:
    """Two short trainings in processes of their own must end with the same state; nothing compiled is shared."""

    def digests(flags: str = "") -> list[Any]:
        own = {
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
            "JAX_COMPILATION_CACHE_DIR": "",
        }
        with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor() as pool:
            done = pool.map(
                lambda name: train_run(sizes, Path(place) / name, epochs=2, **own),
                ("first", "second"),
            )
            return [read_manifest(run / "states" / "2").sha256 for run in done]

    first, second = found = digests()
    yield {"digests": found, "same": first == second}
    if first != second:
        again = digests("--xla_gpu_deterministic_ops=true")
        yield {"same_with_deterministic_ops": again[0] == again[1]}
        raise InputError("two trainings with one recipe ended with different bits")


def checkpoint(sizes: Sizes, until: float) -> Found:
    """A run that is stopped twice and goes on elsewhere: on the device, on the CPU, on the device. Loading checks each bit."""
    with tempfile.TemporaryDirectory() as place:
        epoch = 0
        for leg, platform in enumerate(("", "cpu", ""), 1):
            own = {"JAX_PLATFORMS": platform} if platform else {}
            asked = train_command(sizes, Path(place) / "run")
            pipes: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
            said = []
            with subprocess.Popen(asked, env=os.environ | own, cwd=ROOT, **pipes) as process:
                for line in process.stderr or ():
                    said.append(line)
                    if line.startswith("epoch"):
                        process.terminate()
            begun = re.search(r"^Resuming after epoch (\d+)", "".join(said), re.M)
            ended = re.findall(r"^epoch +(\d+)/.* validation ([\d.]+)", "".join(said), re.M)
            kind = re.search(r"^Compiled for (.*?):", "".join(said), re.M)
            if not ended or not kind or (int(begun[1]) if begun else 0) != epoch:
                raise InputError(
                    f"jaxae train did not go on after epoch {epoch}: {(said or ['it said nothing'])[-1].strip()}"
                )
            epoch = int(ended[-1][0])
            yield {
                f"leg_{leg}": {
                    "on": kind[1],
                    "to_epoch": epoch,
                    "validation_loss": float(ended[-1][1]),
                }
            }


def train_run(sizes: Sizes, place: Path, *, epochs: int, **environment: str) -> Path:
    """jaxae train, in a process of its own. Returns the run directory. Raises InputError where it fails."""
    asked = [*train_command(sizes, place), "--epochs", str(epochs)]
    done = subprocess.run(
        asked, capture_output=True, text=True, env=os.environ | environment, cwd=ROOT
    )
    if done.returncode:
        raise InputError(
            f"jaxae train failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
        )
    return Path(done.stdout.strip())


def train_command(sizes: Sizes, place: Path) -> list[str]:
    """jaxae train with the recipe; on synthetic data the run directory is another, which it prints."""
    return [sys.executable, "-m", "jaxae", "train", *sizes.options, "--run-dir", str(place)]


def export(sizes: Sizes, until: float) -> Found:
    """The released run's StableHLO program: the same outputs on the CPU and on the device as jaxae has on the device."""
    if importlib.util.find_spec("flatbuffers") is None:
        yield {"left_out": "flatbuffers is not installed: pip install -e '.[stablehlo]' brings it"}
        return
    run = load(ROOT / "checkpoints" / "released")
    images = to_unit(load_dataset("synthetic", report=silent).test.images)
    content = stablehlo(fold_batch_norm(run), "denoiser", image_shape=run.model.image_shape)
    call = jax.jit(jax.export.deserialize(bytearray(content)).call)

    with jax.default_matmul_precision("highest"):
        expected = reconstruct(run, images)
        difference = float(np.abs(np.asarray(call(images)) - expected).max())
        with jax.default_device(jax.devices("cpu")[0]):
            on_cpu = float(np.abs(np.asarray(call(images)) - expected).max())
    yield {"largest_difference": {"cpu": on_cpu, "device": difference}}

    if not difference < 1e-3:  # a quarter of a grey level
        raise InputError(
            f"on the device the exported program differs from jaxae by {difference:.1g}"
        )
    laps = []
    for _ in range(5):
        began = time.perf_counter()
        np.asarray(call(images))
        laps.append(time.perf_counter() - began)
    yield {"images_per_s": len(images) / median(laps)}


def tests(sizes: Sizes, until: float) -> Found:
    """The tests that need a GPU; elsewhere pytest skips them."""
    if missing := [
        name for name in ("pytest", "hypothesis") if importlib.util.find_spec(name) is None
    ]:
        yield {"left_out": f"{missing[0]} is not installed: pip install -e '.[test]' brings it"}
        return
    asked = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/test_resilience.py",
        "-k",
        "cuda",
    ]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT)
    last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
    yield {
        name: int(number)
        for number, name in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)
    }
    if done.returncode:
        raise InputError(f"pytest: {last}")
