"""End real processes by signals at random instants, start them again, and compare the results."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from benchmarks import ROOT
from benchmarks.robustness import kill_commands, signals
from jaxae.build import state_shapes
from jaxae.cli import command, messages
from jaxae.errors import InputError
from jaxae.runs import checkpoint, directory
from jaxae.runs.manifest import read_manifest, tree_digest
from jaxae.runs.population import members

CLOCK = ("images_per_s", "seconds_left")
RECIPE = ("--dataset", "synthetic", "--batch-size", "512")


class Trained(NamedTuple):
    """All of a run that must be equal, however often it was ended."""

    files: list[str]
    best: dict[str, str]
    """The digests of the best epoch's arrays. Others are saved at times that differ."""
    last_state: str
    metrics: list[dict[str, Any]]
    """The rows of metrics.jsonl, without those of the clock."""
    evaluation: str


def main(
    kills: int = 50,
    seed: int = 0,
    epochs: int = 12,
    seeds: int = 1,
    sent: Annotated[str, tyro.conf.arg(name="signals")] = "KILL",
    commands: int = 0,
) -> None:
    """End a training process again and again; every run must end with the same bits.

    Then end evaluate, release, score and plot: the old result must be left whole, or the new one.

    Args:
        kills: Number of signals to training. A run that ends before it is killed is compared, and
            the next one starts.
        seed: Seed of the instants.
        epochs: Length of a run, on synthetic data with batches of 512.
        seeds: Members of a run: more than one make it a population.
        sent: Signals, in turn, with commas: KILL, TERM, HUP, QUIT, INT, and STOP (then CONT, KILL).
        commands: Number of signals to the other commands.
    """
    names = signals.names_in(sent)
    signals.stop_ignoring()
    draw = random.Random(seed)
    recipe = [*RECIPE, "--epochs", str(epochs), "--seeds", str(seeds)]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        whole = train(place / "whole", recipe)
        same = kill_training(place, kills, recipe, outcome(whole), names, draw) if kills else True
        sound = kill_commands.kill_all(whole, place, commands, names, draw) if commands else True
    if not (same and sound):
        sys.exit(1)


def kill_training(
    place: Path,
    kills: int,
    recipe: list[str],
    expected: list[Trained],
    names: list[str],
    draw: random.Random,
) -> bool:
    """Return whether every run ended with what is expected."""
    if outcome(train(place / "control", [*recipe, "--seed", "1"])) == expected:
        raise InputError("Another seed ended with the same bits: this comparison can't fail")

    done = inside = runs = equal = 0
    while done < kills:
        runs += 1
        run = place / f"killed-{runs}"
        while done < kills and kill_once(run, recipe, draw, names[done % len(names)]):
            done += 1
            inside += signals.unfinished(run_dir(run))
        same = outcome(train(run, recipe)) == expected
        equal += same
        messages.say(f"{done:3d} signals, run {runs}: {'the same bits' if same else 'DIFFERENT'}")
        shutil.rmtree(run_dir(run))

    print(
        f"{equal} of {runs} runs ended with the same bits after {done} signals,"
        f" {inside} of them inside a save or a deletion"
    )
    return equal == runs


def run_dir(run: Path) -> Path:
    """Return where training puts a run on synthetic data."""
    return run.with_name(run.name + "-SYNTHETIC")


def start(run: Path, recipe: list[str]) -> subprocess.Popen[str]:
    """Start the training command."""
    words = [sys.executable, "-m", "jaxae", "train", *recipe, "--run-dir", str(run)]
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def kill_once(run: Path, recipe: list[str], draw: random.Random, name: str) -> bool:
    """Start or resume a run and send it a signal. Return False if it had ended.

    One signal in five comes in the start, the others after an epoch: half of these when the next
    save has begun, half at any instant.
    """
    with start(run, recipe) as process:
        assert process.stderr is not None
        if draw.random() < 0.2:
            time.sleep(draw.uniform(0, 6))
            return signals.end(process, name)

        for line in process.stderr:
            if line.startswith("epoch"):
                break
        if draw.random() < 0.5:
            while process.poll() is None and not signals.unfinished(run_dir(run)):
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.1))
        else:
            time.sleep(draw.uniform(0, 1.5))
        return signals.end(process, name)


def train(run: Path, recipe: list[str]) -> Path:
    """Train, or go on, to the end, and evaluate. Return the run directory."""
    with start(run, recipe) as process:
        _, said = process.communicate()
    if process.returncode:
        raise InputError(f"jaxae train failed: {signals.failure(process, said)}")
    evaluate = [sys.executable, "-m", "jaxae", "evaluate", str(run_dir(run))]
    subprocess.run(evaluate, check=True, capture_output=True, cwd=ROOT)
    return run_dir(run)


def outcome(run: Path) -> list[Trained]:
    """Return what each member of a run has become."""
    return [trained(member) for member in members(run)]


def trained(run: Path) -> Trained:
    """Return what a run has become."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        for name in CLOCK:
            row.pop(name, None)

    best = run / "states" / str(checkpoint.best_epoch(run))
    shapes = state_shapes(directory.read_config(run))
    return Trained(
        files=sorted(os.listdir(run)),
        best=read_manifest(best).sha256,
        last_state=tree_digest(checkpoint.load_latest(run, shapes)),
        metrics=rows,
        evaluation=(run / "evaluation.json").read_text(),
    )


if __name__ == "__main__":
    command.run(main)
