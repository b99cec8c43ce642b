"""Ends real processes by signals at seeded random instants, starts them again, and compares what is left at the end."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.robustness import kill_commands
from jaxae.build import state_shapes
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.runs import checkpoint, directory
from jaxae.runs.directory import members
from jaxae.runs.manifest import tree_digest

CLOCK = ("images_per_s", "seconds_left")
RECIPE = ("--dataset", "synthetic", "--batch-size", "512")


def main(
    kills: int = 50,
    seed: int = 0,
    epochs: int = 12,
    seeds: int = 1,
    signals: str = "KILL",
    commands: int = 0,
) -> None:
    """Ends a training process again and again; every run must end with the bits of one that nothing interrupted.

    Then it does the same with evaluate, release, score and plot: what was there must be left whole, or the new result be there.

    Args:
        kills: Number of signals to training; a run that ends before it is killed is compared, and the next one starts.
        seed: Seed of the instants.
        epochs: Length of a run, on synthetic data with batches of 512.
        seeds: Members of a run: more than one make it a population.
        signals: Which signals, in turn: names with commas between, of KILL, TERM, HUP, QUIT, INT and STOP (then CONT and KILL).
        commands: Number of signals to the other commands, of ordinary runs.
    """
    names = signals.split(",")
    if unknown := [name for name in names if name not in kill_commands.SIGNALS]:
        raise InputError(
            f"--signals has {unknown[0]!r}: give some of {', '.join(kill_commands.SIGNALS)}"
        )
    for name in (
        kill_commands.SIGNALS
    ):  # a job in the background is started to ignore some, and so would be what it starts
        if (
            name not in ("KILL", "STOP")
            and signal.getsignal(signal.Signals[f"SIG{name}"]) is signal.SIG_IGN
        ):
            signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_DFL)
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        recipe = (*RECIPE, "--epochs", str(epochs), "--seeds", str(seeds))
        whole = train(place / "whole", recipe)
        good = kill_training(place, kills, recipe, outcome(whole), names, draw) if kills else True
        good &= kill_commands.all_of(whole, place, commands, names, draw) if commands else True
    if not good:
        sys.exit(1)


def kill_training(
    place: Path,
    kills: int,
    recipe: tuple[str, ...],
    expected: dict[str, object],
    names: list[str],
    draw: random.Random,
) -> bool:
    """Whether every run ended with what is expected, however often it was ended."""
    control = outcome(train(place / "control", (*recipe, "--seed", "1")))
    if control == expected:
        raise InputError(
            "The negative control, another seed, ended with the same bits: this test can't fail"
        )
    done = inside = runs = equal = 0
    while done < kills:
        runs += 1
        run = place / f"killed-{runs}"
        while done < kills and kill_once(run, recipe, draw, names[done % len(names)]):
            done += 1
            inside += saving(run)
        same = outcome(train(run, recipe)) == expected
        equal += same
        messages.say(f"{done:3d} kills, run {runs}: {'the same bits' if same else 'DIFFERENT'}")
        shutil.rmtree(run_dir(run))
    print(
        f"{equal} of {runs} runs ended with the same bits after {done} kills, {inside} of them inside a save or a deletion"
    )
    return equal == runs


def run_dir(run: Path) -> Path:
    """Where the script puts a synthetic run."""
    return run.with_name(run.name + "-SYNTHETIC")


def start(run: Path, recipe: tuple[str, ...]) -> subprocess.Popen[str]:
    """The training command, as a user types it."""
    command = [sys.executable, "-m", "jaxae", "train", *recipe, "--run-dir", str(run)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill_once(run: Path, recipe: tuple[str, ...], draw: random.Random, name: str) -> bool:
    """Starts or resumes a run and sends it a signal. False: it had ended.

    Once in five in the start, else after an epoch: half of these when the next save has begun, the others at any instant.
    """
    with start(run, recipe) as process:
        assert process.stderr is not None
        if draw.random() < 0.2:
            time.sleep(draw.uniform(0, 6))
        else:
            for line in process.stderr:
                if line.startswith("epoch"):
                    break
            if draw.random() < 0.5:
                while process.poll() is None and not saving(run):
                    time.sleep(0.0005)
                time.sleep(draw.uniform(0, 0.1))
            else:
                time.sleep(draw.uniform(0, 1.5))
        return kill_commands.ended_by(process, name)


def saving(run: Path) -> bool:
    """Whether an unfinished or half-deleted checkpoint is there."""
    places = (run_dir(run).glob(f"{each}states/*[!0-9]*") for each in ("", "members/*/"))
    return any(True for place in places for _ in place)


def train(run: Path, recipe: tuple[str, ...]) -> Path:
    """Trains, or goes on, to the end, and evaluates."""
    with start(run, recipe) as process:
        _, err = process.communicate()
    if process.returncode:
        raise InputError(f"train.py ended with {process.returncode}: {err.splitlines()[-1]}")
    evaluate = [sys.executable, "-m", "jaxae", "evaluate", str(run_dir(run))]
    subprocess.run(evaluate, check=True, capture_output=True)
    return run_dir(run)


def outcome(run: Path) -> dict[str, object]:
    """All that must be equal, of each member, and the names of the files around them."""
    return {
        "files": sorted(os.listdir(run)),
        "members": [of_member(member) for member in members(run)],
    }


def of_member(run: Path) -> dict[str, object]:
    """Of a run: each checkpoint's digests, the metrics but for the clock, the evaluation, the files' names."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    manifests = {
        path.parent.name: json.loads(path.read_text())["content"]
        for path in run.glob("states/*/manifest.json")
    }
    config = directory.read_config(run)
    shapes = state_shapes(config)
    return {
        "files": sorted(os.listdir(run)),
        "states": sorted(os.listdir(run / "states")),
        "manifests": {epoch: manifest["sha256"] for epoch, manifest in manifests.items()},
        "best": {epoch: manifest["best_epoch"] for epoch, manifest in manifests.items()},
        "state": tree_digest(checkpoint.load_latest(run, shapes)),
        "metrics": [
            {name: value for name, value in row.items() if name not in CLOCK} for row in rows
        ],
        "evaluation": (run / "evaluation.json").read_text(),
    }


if __name__ == "__main__":
    command.run(main)
