"""Seconds from the start of the process until the validation loss is as low as asked, for jaxae and for PyTorch in turn."""

import importlib.util
import json
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
from jaxae.evaluation.tables import markdown

LINE = re.compile(r"epoch +(\d+)/.* validation ([\d.]+)")
Reached = dict[float, tuple[float, int]]
"""Seconds and epochs to each loss that was reached."""


def main(
    seeds: int = 5,
    targets: tuple[float, ...] = (0.112, 0.108, 0.106),
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Trains with the default recipe until the lowest target; the PyTorch peer has the same, but for its own first weights.

    Args:
        seeds: Number of seeds, from 0.
        targets: Validation MSE + L1 at noise 0.25.
        json_file: File to write the figures to.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install -e '.[torch]' brings it")
    commands = {
        "jaxae": ["-m", "jaxae", "train"],
        "PyTorch, tuned": ["-m", "benchmarks.speed.torch_peer"],
    }
    runs: dict[str, list[Reached]] = {name: [] for name in commands}
    for seed in range(seeds):
        for name, script in commands.items():
            with tempfile.TemporaryDirectory() as place:
                own = ["--run-dir", f"{place}/run"] if name == "jaxae" else []
                runs[name].append(
                    race([sys.executable, *script, "--seed", str(seed), *own], targets)
                )
            messages.say(
                f"seed {seed}, {name}: "
                + ", ".join(f"{loss:g} {show(runs[name][-1], loss)}" for loss in targets)
            )
    rows = []
    for loss in sorted(targets, reverse=True):
        for name, found in runs.items():
            seconds = [run[loss][0] if loss in run else float("inf") for run in found]
            middle = f"{median(seconds):.0f} s" if median(seconds) < float("inf") else "not reached"
            rows.append([f"{loss:g}", name, middle, ", ".join(show(run, loss) for run in found)])
    print(markdown(["validation loss", "", "median", "each seed: seconds (epochs)"], rows))
    if json_file:
        json_file.write_text(
            json.dumps({"targets": targets, "seconds_and_epochs": runs}, indent=2) + "\n"
        )


def show(run: Reached, loss: float) -> str:
    """Whole seconds and epochs, or a dash where the run ended before."""
    return f"{run[loss][0]:.0f} ({run[loss][1]})" if loss in run else "–"


def race(command: list[str], targets: tuple[float, ...]) -> Reached:
    """Seconds and epochs until the validation loss is first at each target; the process ends with the last of them."""
    began, found, last = time.perf_counter(), Reached(), ""
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if match := LINE.search(line):
                for loss in set(targets) - set(found):
                    if float(match[2]) <= loss:
                        found[loss] = (time.perf_counter() - began, int(match[1]))
            if len(found) == len(set(targets)):
                process.kill()
                return found
            last = line
    if process.returncode:
        raise InputError(f"{' '.join(command)} failed: {last.strip()}")
    return found


if __name__ == "__main__":
    command.run(main)
