"""Measure jaxae on a GPU, against the CPU and against PyTorch.

python -m benchmarks.gpu.measure --json gpu.json
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import tyro

from benchmarks import ROOT
from benchmarks.speed.racers import RACERS, Worker, machine
from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.errors import InputError
from jaxae.evaluation.tables import markdown
from jaxae.runs import metrics_log

TOLERANCE = 0.05
"""How far, relative to it, a GPU's validation loss may be from the CPU's after the last epoch.

Both draw the same noise and the same order, and differ by rounding. After three epochs of real
images another number of CPU cores, which rounds differently, moved the loss by 1.2 %, and
bfloat16, which is coarser than a GPU's TF32, by 0.8 %.
"""


class Trained(NamedTuple):
    """A short training of the default recipe."""

    device: str
    images_per_s: float
    """Of its last epoch, validation and saving included."""
    validation_losses: list[float]


class Race(NamedTuple):
    """Milliseconds a step of a racer, or why there are none."""

    ms: float | None
    error: str = ""


def main(
    json_file: Annotated[Path, tyro.conf.arg(name="json")],
    *,
    platform: str = "cuda",
    dataset: str = "auto",
    epochs: int = 3,
    rounds: int = 5,
    racers: tuple[str, ...] = ("jaxae", "tuned", "compiled", "jaxae bfloat16", "tuned bfloat16"),
    models: tuple[int, ...] = (4, 16, 64, 256),
) -> None:
    """Train on the CPU and on the GPU, compare the losses, and race. Some ten minutes.

    A run that the device has saved is resumed on the CPU. A racer that fails stops no other:
    the table says why.

    Args:
        json_file: File to write the figures to.
        platform: What JAX calls the device: cuda or rocm; cpu tries this command without one.
        dataset: Data to train on.
        epochs: Epochs of each training.
        rounds: Epochs of each racer, in turn; the medians count.
        racers: Names of benchmarks/speed/racers.py.
        models: Numbers of models that are trained in one program.
    """
    if unknown := [name for name in racers if name not in RACERS]:
        raise InputError(f"{unknown[0]} is not a racer: there are {', '.join(RACERS)}")

    names = [*racers, *(f"{count} models" for count in models)]
    with tempfile.TemporaryDirectory() as place:
        cpu = read(train(Path(place) / "cpu", "cpu", dataset, epochs))
        run = train(Path(place) / "device", platform, dataset, epochs)
        gpu = read(run)
        moved = read(train(Path(place) / "moved", "cpu", dataset, epochs + 1, resume_from=run))

    races = {"jaxae, on the CPU": race(["jaxae"], "cpu", dataset, rounds)["jaxae"]}
    races |= race(names, platform, dataset, rounds)
    found = {
        "machine": machine(),
        "trained": {"cpu": cpu._asdict(), "device": gpu._asdict(), "moved": moved._asdict()},
        "ms_per_step": {name: each._asdict() for name, each in races.items()},
    }
    json_file.write_text(json.dumps(found, indent=2) + "\n")

    print(f"{gpu.device}; {machine()}.\n")
    print(training_table(cpu, gpu))
    loss = moved.validation_losses[-1]
    print(f"\nThe device's run, resumed on the CPU: {loss:.5f} after an epoch more.\n")
    print(race_table(races))
    check_losses(cpu, gpu)


def train(
    run_dir: Path, platform: str, dataset: str, epochs: int, *, resume_from: Path | None = None
) -> Path:
    """Run `jaxae train` on a platform. Return the run directory; raises InputError if it fails."""
    words = ["--dataset", dataset, "--epochs", str(epochs), "--run-dir", str(run_dir)]
    if resume_from:
        words += ["--resume-from", str(resume_from)]
    messages.say(f"jaxae train {' '.join(words)}, on {platform}")
    done = subprocess.run(
        [sys.executable, "-m", "jaxae", "train", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(platform),
    )
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise InputError(f"jaxae train failed on {platform}: {last}")

    return Path(done.stdout.strip())


def read(run: Path) -> Trained:
    """Return what a run says of itself."""
    rows = metrics_log.read(run)
    described = json.loads((run / "environment.json").read_text())
    return Trained(
        device=described["devices"][0],
        images_per_s=rows[-1]["images_per_s"],
        validation_losses=[row["validation_loss"] for row in rows],
    )


def race(names: list[str], platform: str, dataset: str, rounds: int) -> dict[str, Race]:
    """Return milliseconds a step of every racer that starts."""
    races: dict[str, Race] = {}
    for name in names:
        messages.say(f"{name}, on {platform}")
        worker = Worker(name, dataset, environment=environment(platform))
        try:
            worker.ask()
            races[name] = Race(median(worker.ask()[0] for _ in range(rounds)))
        except InputError as error:
            races[name] = Race(None, str(error))
        finally:
            worker.close()
    return races


def environment(platform: str) -> dict[str, str]:
    """Return the environment of a process on a platform, which takes memory as it needs it."""
    own = {"JAX_PLATFORMS": platform, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if platform == "cpu":
        own["CUDA_VISIBLE_DEVICES"] = ""  # for PyTorch
    return os.environ | own


def check_losses(cpu: Trained, gpu: Trained) -> None:
    """Raise InputError if the last losses differ by more than rounding can explain."""
    last = differences(cpu, gpu)[-1]
    if last > TOLERANCE:
        raise InputError(
            f"The last validation losses differ by {last:.1%}, more than {TOLERANCE:.0%}:"
            f" {cpu.validation_losses} on the CPU, {gpu.validation_losses} on the device"
        )


def differences(cpu: Trained, gpu: Trained) -> list[float]:
    """Return how far the device's losses are from the CPU's, relative to those."""
    pairs = zip(cpu.validation_losses, gpu.validation_losses, strict=True)
    return [abs(theirs - ours) / ours for ours, theirs in pairs]


def training_table(cpu: Trained, gpu: Trained) -> str:
    """Return the losses on both devices, and their speed, in Markdown."""
    rows = [
        [f"validation loss after epoch {k}", f"{ours:.5f}", f"{theirs:.5f}", f"{relative:.2%}"]
        for k, (ours, theirs, relative) in enumerate(
            zip(cpu.validation_losses, gpu.validation_losses, differences(cpu, gpu), strict=True),
            1,
        )
    ]
    rate = gpu.images_per_s / cpu.images_per_s
    speed = ["images/s", f"{cpu.images_per_s:,.0f}", f"{gpu.images_per_s:,.0f}", f"× {rate:.1f}"]
    return markdown(["jaxae train", cpu.device, gpu.device, ""], [*rows, speed])


def race_table(races: dict[str, Race]) -> str:
    """Return the races in Markdown; a racer that failed says why."""
    batch = Config().batch_size
    rows = []
    for name, each in races.items():
        label = RACERS.get(name, name)
        if each.ms is None:
            rows.append([label, each.error, ""])
        else:
            count, _, word = name.partition(" ")
            models = int(count) if word == "models" else 1
            rate = 1000 * batch * models / each.ms
            rows.append([label, f"{each.ms:.2f}", f"{rate:,.0f}"])
    return markdown(["", "ms a step", "model·images/s"], rows)


if __name__ == "__main__":
    command.run(main)
