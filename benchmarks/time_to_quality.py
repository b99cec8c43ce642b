"""Seconds from the start of the process until the validation loss is as low as asked, for jaxae and for PyTorch in turn."""

import importlib.util
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import tyro

from jaxae.cli import command, messages
from jaxae.errors import InputError

HERE = Path(__file__).parent
LINE = re.compile(r"epoch +(\d+)/.* validation ([\d.]+)")


def main(seeds: int = 3, target: float = 0.1080, json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> None:
    """Trains with the default recipe until the target; the PyTorch peer has its own initialisation and running statistics.

    Args:
        seeds: Number of seeds, from 0.
        target: Validation MSE + L1 at noise 0.25.
        json_file: File to write the figures to.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install -e '.[torch]' brings it")
    commands = {"jaxae": HERE.parent / "scripts/train.py", "PyTorch, tuned": HERE / "torch_peer.py"}
    reached: dict[str, list[tuple[float, int]]] = {name: [] for name in commands}
    for seed in range(seeds):
        for name, script in commands.items():
            with tempfile.TemporaryDirectory() as place:
                own = ["--run-dir", f"{place}/run"] if name == "jaxae" else []
                reached[name].append(race([sys.executable, str(script), "--seed", str(seed), *own], target))
            messages.say(f"seed {seed}, {name}: seconds {show(reached[name][-1][0])}, epochs {reached[name][-1][1]}")
    print(f"| seconds until the validation loss is {target:g} or less | median | each seed | epochs |\n|---|---|---|---|")
    for name, results in reached.items():
        seconds, epochs = zip(*results, strict=True)
        each = ", ".join(show(value) for value in seconds)
        print(f"| {name} | {show(median(seconds))} | {each} | {', '.join(map(str, epochs))} |")
    if json_file:
        finite = {name: [(s if s < math.inf else None, e) for s, e in results] for name, results in reached.items()}
        json_file.write_text(json.dumps({"target": target, "seconds_and_epochs": finite}, indent=2) + "\n")


def show(seconds: float) -> str:
    """Whole seconds, or that the run ended before."""
    return f"{seconds:.0f}" if seconds < math.inf else "not reached"


def race(command: list[str], target: float) -> tuple[float, int]:
    """Seconds and epochs to the first epoch whose validation loss is at the target; infinite seconds if it ends before."""
    began = time.perf_counter()
    epochs, last = 0, ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := LINE.search(line):
                epochs = int(found[1])
                if float(found[2]) <= target:
                    seconds = time.perf_counter() - began
                    process.kill()
                    return seconds, epochs
            last = line
    if process.returncode:
        raise InputError(f"{' '.join(command)} failed: {last.strip()}")
    return math.inf, epochs


if __name__ == "__main__":
    command.run(main)
