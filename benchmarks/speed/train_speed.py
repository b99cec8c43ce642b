"""Trains jaxae and its PyTorch peers in turn, each in its own process: who is how fast, and how far from the ceiling."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import tyro

from benchmarks import ROOT
from benchmarks.speed.racers import LABELS, RACERS, Worker, machine
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.data.load import load_dataset
from jaxae.errors import InputError

LOOKS = (
    "evaluate",
    "plot_reconstructions",
    "plot_error_maps",
    "plot_noise_robustness",
    "plot_latent_space",
)


def main(
    rounds: int = 7,
    starts: int = 3,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Races whole epochs: the default recipe, data in memory, no validation, no checkpoint.

    Args:
        rounds: Epochs of each racer, in turn; the medians count.
        starts: Starts of scripts/train.py, for the times from its start and its memory.
        json_file: File to write the figures to.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install -e '.[torch]' brings it")
    if min(rounds, starts) < 1:
        raise InputError(f"rounds is {rounds} and starts {starts}: give 1 or more")
    dataset = load_dataset("auto", report=messages.say)
    config = Config(dataset=dataset.name)
    crews = {
        name: Worker(name, config.dataset) for name in (*RACERS, "ceiling-jaxae", "ceiling-pytorch")
    }
    for worker in crews.values():
        worker.ask()
    messages.say(f"All racers have started; racing on {dataset.title}.")
    times: dict[str, list[Any]] = {name: [] for name in crews}
    for lap in range(rounds):
        for name, worker in crews.items():
            times[name].append(worker.ask())
        messages.say(
            f"round {lap + 1}/{rounds}: "
            + ", ".join(f"{name} {times[name][-1]:.2f}" for name in RACERS)
            + " ms a step"
        )
    ms = {name: median(times[name]) for name in RACERS}
    alone = {
        name: [min(rounds) for rounds in zip(*times[name], strict=True)]
        for name in crews
        if name not in RACERS
    }
    ceiling = sum(
        min(each) for each in zip(*alone.values(), strict=True)
    )  # the best case of each product, not the usual one
    print(table(dataset.title, config, ms, ceiling, alone))
    begun = [start(config.dataset) for _ in range(starts)]
    result = {
        "data": dataset.title,
        "machine": machine(),
        "ms_per_step": ms["jaxae"],
        "images_per_s": config.batch_size / ms["jaxae"] * 1000,
        **{f"ratio_{name}": ms[name] / ms["jaxae"] for name in ("plain", "compiled")},
        "ratio_tuned": min(ms["tuned"], ms["compiled"]) / ms["jaxae"],
        "speedup_bfloat16": ms["jaxae"] / ms["jaxae bfloat16"],
        "ratio_tuned_bfloat16": ms["tuned bfloat16"] / ms["jaxae bfloat16"],
        "ceiling_ms": ceiling,
        "ceiling_share": ceiling / ms["jaxae"],
        **{name: median(each[name] for each in begun) for name in begun[0]},
        "script_s": look(ROOT / "checkpoints/released")
        if config.dataset == "fashion_mnist"
        else {},
        "rounds": {name: times[name] for name in RACERS},
    }
    print(
        f"\nscripts/train.py: first line after {result['first_line_s']:.1f} s, first step after {result['first_step_s']:.1f} s,"
        f" peak memory {result['peak_memory_mb']:.0f} MB; "
        + ", ".join(f"{name}.py {seconds:.1f} s" for name, seconds in result["script_s"].items())
    )
    if json_file:
        json_file.write_text(json.dumps(result, indent=2) + "\n")


def start(dataset: str) -> dict[str, float]:
    """Runs scripts/train.py for two epochs, without a compilation cache: seconds to its first line and step, peak memory."""
    environment = {
        name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name
    }
    with tempfile.TemporaryDirectory() as place:
        command = [
            sys.executable,
            str(ROOT / "scripts/train.py"),
            "--epochs",
            "2",
            "--dataset",
            dataset,
        ]
        command += ["--run-dir", f"{place}/run"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert process.stderr is not None
        at = {line.partition(" ")[0]: time.perf_counter() - began for line in process.stderr}
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise InputError(f"{' '.join(command)} failed")
    # The step itself, some milliseconds, begins when the line "Compiled …" has been printed.
    return {
        "first_line_s": min(at.values()),
        "first_step_s": at["Compiled"],
        "peak_memory_mb": usage.ru_maxrss / 1024,
    }


def look(run: Path) -> dict[str, float]:
    """Seconds that each script takes to evaluate a run or to draw from it."""
    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(run, copy := f"{place}/run")
        for name in LOOKS:
            began = time.perf_counter()
            command = [sys.executable, str(ROOT / f"scripts/{name}.py"), copy]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise InputError(f"{' '.join(command)} failed: {done.stderr.strip()}")
            seconds[name] = time.perf_counter() - began
    return seconds


def table(
    title: str, config: Config, ms: dict[str, float], ceiling: float, alone: dict[str, list[float]]
) -> str:
    """The race in Markdown."""
    rate = {name: f"{config.batch_size / each * 1000:,.0f}" for name, each in ms.items()}
    rows = [
        f"| {LABELS[name]} | {each:.2f} | {rate[name]} | {each / ms['jaxae']:.2f} | {ceiling / each:.0%} |"
        for name, each in ms.items()
    ]
    sums = " and ".join(
        f"{sum(each):.2f} ms in {name.removeprefix('ceiling-')}" for name, each in alone.items()
    )
    return "\n".join(
        [
            f"{machine()}; {title}; medians of the rounds.",
            "",
            "| | ms a step | images/s | times jaxae's | share of the ceiling |",
            "|---|---|---|---|---|",
            *rows,
            f"| the ceiling: a step's matrix products alone, in float32 | {ceiling:.2f} | | | 100% |",
            "",
            f"The products at their fastest take {sums}; the ceiling takes each from the faster of the two.",
        ]
    )


if __name__ == "__main__":
    command.run(main)
