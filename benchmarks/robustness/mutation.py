"""Changes one thing in the code at a time, runs the tests, and lists the changes that no test noticed.

A mutant is killed where a test of the default suite fails that passes without the change. The changed module's own test file
runs first, alone, since to import the others takes longer; then those near to it, then all others, the quick ones first, up to
the first failure.

Of the kept tools mutmut forks a process that has imported all, which JAX's threads do not survive; cosmic-ray changes the
checkout itself, takes no seeded sample, and runs one command for all mutants.
"""

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ROOT
from benchmarks.robustness.mutants import Mutant, mutants_of
from jaxae.cli import command, messages

WINGS = ("core", "runs", "train", "evaluation", "figures")
PASSED, NO_TESTS = 0, 5
"""Exit codes of pytest."""


class Unchanged(NamedTuple):
    """What a file of tests does without a change: how long it takes, and which of its tests fail and are left out."""

    seconds: float
    failed: list[str]


def main(
    out: Path, *, mutants: int = 100, seed: int = 0, near: bool = False, again: bool = False
) -> None:
    """Draws mutants of core, runs, train, evaluation and figures, tests each, and says which survive.

    Args:
        out: File of JSON lines; mutants that are in it are not tested again, so that a run that was stopped goes on.
        mutants: How many.
        seed: Seed of the draw.
        near: Run the nearest test files only: quick, and a mutant that survives them is not in the file yet.
        again: Test those that survived once more.
    """
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {
        identity(row): row
        for row in rows
        if "outcome" in row and not (again and row["outcome"] == "survived")
    }
    unchanged = {
        row["tests"]: Unchanged(row["seconds"], row["failed"]) for row in rows if "tests" in row
    }
    there = [
        each
        for wing in WINGS
        for path in sorted((ROOT / "jaxae" / wing).glob("*.py"))
        for each in mutants_of(path)
    ]
    chosen = random.Random(seed).sample(there, min(mutants, len(there)))
    killed = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        copy_checkout(place)
        for number, mutant in enumerate(chosen, 1):
            row = mutant._asdict()
            if identity(row) in done:
                row = done[identity(row)]
            else:
                for files in tests_of(place, mutant.file)[: 2 if near else 3]:
                    if new := [file for file in files if file not in unchanged]:
                        unchanged |= measure(place, new)
                        for file in new:
                            append(out, {"tests": file, **unchanged[file]._asdict()})
                began = time.monotonic()
                row |= test(place, mutant, unchanged, near=near)
                row["seconds"] = round(time.monotonic() - began)
                if row["outcome"] != "survived" or not near:
                    append(out, row)
            killed += row["outcome"] != "survived"
            what = f"{row['file']}:{row['line']}  {row['before']}  →  {row['after']}"
            messages.say(f"{number:3d} {row['outcome']:9} {what}  {row['by']}")
    print(f"{killed} of {len(chosen)} mutants were killed (of {len(there)} possible)")


def identity(row: Mapping[str, Any]) -> tuple[str, int, str, str]:
    """What tells one mutant from another."""
    return row["file"], row["start"], row["before"], row["after"]


def append(out: Path, row: Mapping[str, Any]) -> None:
    """One line more."""
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")


def copy_checkout(place: Path) -> None:
    """The files that git knows, elsewhere: no mutant touches the checkout."""
    names = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)


def measure(place: Path, files: Sequence[str]) -> dict[str, Unchanged]:
    """Runs files of tests without a change."""
    run_tests(place, [*files, "--junitxml", "times.xml"], seconds=3600)
    seconds, failed = dict.fromkeys(files, 0.0), collections.defaultdict(list)
    for case in xml.etree.ElementTree.parse(place / "times.xml").iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        seconds[file] += float(case.get("time", 0))
        if case.find("failure") is not None or case.find("error") is not None:
            failed[file].append(f"{file}::{case.get('name')}")
            messages.say(f"fails without a change, and is left out: {failed[file][-1]}")
    return {file: Unchanged(seconds[file], failed[file]) for file in files}


def test(
    place: Path, mutant: Mutant, unchanged: Mapping[str, Unchanged], *, near: bool
) -> dict[str, str]:
    """Runs the tests on the changed copy. The outcome, killed, timed out or survived; and by which test."""
    path = place / mutant.file
    whole = path.read_bytes()
    path.write_bytes(whole[: mutant.start] + mutant.after.encode() + whole[mutant.end :])
    try:
        for files in filter(None, tests_of(place, mutant.file)[: 2 if near else 3]):
            files = sorted(files, key=lambda name: unchanged[name].seconds)
            left_out = [
                word
                for name in files
                for test in unchanged[name].failed
                for word in ("--deselect", test)
            ]
            most = 120 + 5 * sum(unchanged[name].seconds for name in files)
            code, told = run_tests(place, ["-x", *files, *left_out], seconds=most)
            while (
                "TimeoutExpired" in told
            ):  # a busy machine does that without a change too: it tells nothing
                left_out += ["--deselect", told.split()[1]]
                code, told = run_tests(place, ["-x", *files, *left_out], seconds=most)
            if code not in (PASSED, NO_TESTS):
                return {"outcome": "timed out" if code < 0 else "killed", "by": told}
        return {"outcome": "survived", "by": ""}
    finally:
        path.write_bytes(whole)


def tests_of(place: Path, file: str) -> list[list[str]]:
    """A module's own test file, or its wing's; those near to it, which import it or are its wing's; and the others."""
    module = file.removesuffix(".py").replace("/", ".")
    package, _, stem = module.rpartition(".")
    wing = Path(file).parent.name
    groups: list[list[str]] = [[], [], []]
    for path in sorted((place / "tests").rglob("test_*.py")):
        imports = [
            line
            for line in path.read_text().splitlines()
            if line.startswith((f"from {package}", "import"))
        ]
        named = any(
            module in line or (f"from {package} import" in line and stem in line)
            for line in imports
        )
        own = path.parent.name == wing and path.stem in (f"test_{stem}", f"test_{wing}")
        groups[0 if own else 1 if named or path.parent.name == wing else 2].append(
            str(path.relative_to(place))
        )
    return groups


def run_tests(place: Path, arguments: Sequence[str], *, seconds: float) -> tuple[int, str]:
    """Pytest's exit code, or -1 where it took longer; and the first test that failed."""
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-rfE",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        *arguments,
    ]
    environment = os.environ | {
        "PYTHONPATH": str(place),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "250",
    }
    with (place / "told.txt").open("w+") as told:
        process = subprocess.Popen(
            pytest, cwd=place, env=environment, stdout=told, stderr=told, start_new_session=True
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = -1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started too
        process.wait()
        told.seek(0)
        failed = [
            line for line in told.read().splitlines() if line.startswith(("FAILED ", "ERROR "))
        ]
    return code, failed[0][:200] if failed else ""


if __name__ == "__main__":
    command.run(main)
