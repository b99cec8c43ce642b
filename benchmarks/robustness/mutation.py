"""Change one thing in the code at a time, run the tests, and list the changes that none noticed.

A mutant is killed if a test of the default suite fails that passes without the change. The tests
near the changed module run first. Of the kept tools mutmut forks a process that has imported all,
which JAX's threads do not survive; cosmic-ray changes the checkout itself and takes no sample.
"""

import ast
import collections
import contextlib
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT
from benchmarks.robustness.mutants import Mutant, all_mutants
from jaxae.cli import command, messages

NEAR = {
    "core": ("test_torch", "test_properties"),
    "data": ("test_own_images", "test_other_images"),
    "runs": ("test_edited_files", "test_resilience"),
    "train": ("test_front_door",),
    "evaluation": (),
    "figures": (),
    "estimator": (),
    "export": (),
    "report": (),
    "cli": ("test_front_door", "test_errors"),
    "build": ("test_build",),
    "config": ("test_config", "test_build", "cli/test_command"),
    "digests": ("test_digests", "data/test_load"),
    "errors": ("test_errors", "cli/test_command"),
    "inference": ("test_inference", "test_front_door"),
    "switches": ("test_switches",),
    "temporary": ("runs/test_files", "data/test_load"),
}
"""For each wing and loose module the tests outside tests/WING that are near to it.

Those that import the changed module are near too, but for the loose modules here, which many do.
"""
PASSED, NO_TESTS = 0, 5
"""Exit codes of pytest."""


class Unchanged(NamedTuple):
    """What a file of tests does without a change."""

    seconds: float
    failed: list[str]
    """Tests that fail, which are left out."""


def main(out: Path, *, mutants: int = 100, seed: int = 0, near: bool = False) -> None:
    """Draw mutants of all modules, run the tests on each, and print which survive.

    Args:
        out: File of JSON lines, to which each result is added. Mutants that it has as killed are
            not tested again.
        mutants: How many.
        seed: Seed of the draw.
        near: Run only the tests that are near.
    """
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    killed = {Mutant(*row["mutant"]): row["by"] for row in rows if row["by"]}
    there = all_mutants()
    chosen = random.Random(seed).sample(there, min(mutants, len(there)))

    unchanged: dict[str, Unchanged] = {}
    survived = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        copy_checkout(place)
        for number, mutant in enumerate(chosen, 1):
            by = killed.get(mutant, "")
            if not by:
                by = test(place, mutant, unchanged, near=near)
                with out.open("a") as file:
                    file.write(json.dumps({"mutant": mutant, "by": by}) + "\n")
            survived += not by
            change = f"{mutant.file}:{mutant.line}  {mutant.before}  →  {mutant.after}"
            messages.say(f"{number:3d} {'killed  ' if by else 'SURVIVED'} {change}  {by}")
    print(
        f"{len(chosen) - survived} of {len(chosen)} mutants were killed, of {len(there)} possible"
    )


def copy_checkout(place: Path) -> None:
    """Copy the files that git knows: no mutant touches the checkout."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name, follow_symlinks=False)


def test(place: Path, mutant: Mutant, unchanged: dict[str, Unchanged], *, near: bool) -> str:
    """Run the tests on the changed copy. Return the first that fails, or "" if none does."""
    path = place / mutant.file
    whole = path.read_bytes()
    close, others = tests_of(place, mutant.file)
    for files in [close] if near else [close, others]:
        measure(place, files, unchanged)
        files = sorted(files, key=lambda name: unchanged[name].seconds)
        left_out = [f"--deselect={test}" for name in files for test in unchanged[name].failed]
        most = 120 + 5 * sum(unchanged[name].seconds for name in files)

        path.write_bytes(whole[: mutant.start] + mutant.after.encode() + whole[mutant.end :])
        try:
            code, told = run_tests(place, ["-x", *files, *left_out], seconds=most)
        finally:
            path.write_bytes(whole)
        if code not in (PASSED, NO_TESTS):
            return told
    return ""


def tests_of(place: Path, file: str) -> tuple[list[str], list[str]]:
    """Return the test files that are near to a module of jaxae, and the others."""
    module = file.removesuffix(".py").replace("/", ".")
    _, wing, *rest = module.split(".")
    near: list[str] = []
    others: list[str] = []
    for path in sorted((place / "tests").rglob("test_*.py")):
        name = path.relative_to(place / "tests").with_suffix("").as_posix()
        is_near = (
            name in NEAR.get(wing, ())
            or name.startswith(f"{wing}/")
            or ((rest or wing not in NEAR) and module in imported(path))
        )
        (near if is_near else others).append(path.relative_to(place).as_posix())
    return near, others


@functools.cache
def imported(path: Path) -> set[str]:
    """Return the dotted names of modules that a file imports, and of what it takes from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def measure(place: Path, files: Sequence[str], unchanged: dict[str, Unchanged]) -> None:
    """Run files of tests without a change, unless that has been done, and note what they do."""
    new = [name for name in files if name not in unchanged]
    if not new:
        return
    run_tests(place, [*new, "--junitxml", "times.xml"], seconds=3600)

    seconds: dict[str, float] = collections.defaultdict(float)
    failed: dict[str, list[str]] = collections.defaultdict(list)
    for case in xml.etree.ElementTree.parse(place / "times.xml").iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        seconds[file] += float(case.get("time", 0))
        if case.find("failure") is not None or case.find("error") is not None:
            failed[file].append(f"{file}::{case.get('name')}")
            messages.say(f"fails without a change, and is left out: {failed[file][-1]}")
    for file in new:
        unchanged[file] = Unchanged(seconds[file], failed[file])


def run_tests(place: Path, arguments: Sequence[str], *, seconds: float) -> tuple[int, str]:
    """Run pytest. Return its exit code, -1 if it took too long, and the first test that failed."""
    pytest = [sys.executable, "-m", "pytest", "-rfE", "-p", "no:cacheprovider", "-m", "not slow"]
    # A wide terminal, so that pytest does not cut the names of tests.
    environment = os.environ | {
        "PYTHONPATH": str(place),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "250",
    }
    with (place / "told.txt").open("w+") as told:
        process = subprocess.Popen(
            [*pytest, *arguments],
            cwd=place,
            env=environment,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = -1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started too
        process.wait()
        told.seek(0)
        failed = [line for line in told if line.startswith(("FAILED ", "ERROR "))]

    if failed:
        return code, failed[0].strip()[:200]
    return code, f"stopped after {seconds:.0f} s" if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    command.run(main)
