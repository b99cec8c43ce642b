"""Changes one thing in the code at a time, runs the tests, and lists the changes that no test noticed.

Of the kept tools mutmut forks a process that has imported all, which JAX's threads do not survive; cosmic-ray changes the
checkout itself, takes no seeded sample, and runs one command for all mutants. Here the tests that are about the changed module
go first, and stop at the first failure: that is what makes a hundred mutants an evening's work.
"""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxae.cli import command, messages

ROOT = Path(__file__).parents[1]
WINGS = ("core", "runs", "train", "evaluation", "figures")
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult}
NAMES = {"min": "max", "max": "min", "argmin": "argmax", "argmax": "argmin", "any": "all", "all": "any", "minimum": "maximum"}


class Mutant(NamedTuple):
    """One change: a piece of a file, from offset to end, and what stands there instead."""

    file: str
    line: int
    before: str
    after: str
    start: int
    end: int


def main(out: Path, *, mutants: int = 100, seed: int = 0, related: bool = False, seconds: int = 600) -> None:
    """Draws mutants of core, runs, train, evaluation and figures, tests each, and lists those that survive.

    Args:
        out: File of JSON lines, a mutant each; those that are in it already are not tested again.
        mutants: How many.
        seed: Seed of the draw.
        related: Only the tests of the mutant's module and those that import it; a survivor may still be noticed by others.
        seconds: Of each mutant's tests; one that takes longer counts as noticed.
    """
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    there = [each for wing in WINGS for path in sorted((ROOT / "jaxae" / wing).glob("*.py")) for each in mutants_of(path)]
    chosen = random.Random(seed).sample(there, min(mutants, len(there)))
    done = {(row["file"], row["start"], row["after"], row["related"]): row["outcome"] for row in rows}
    with tempfile.TemporaryDirectory() as name:
        copy_checkout(Path(name))
        for number, mutant in enumerate(chosen, 1):
            key = (mutant.file, mutant.start, mutant.after, related)
            if key not in done:
                began = time.monotonic()
                done[key] = test(Path(name), mutant, related=related, seconds=seconds)
                took = {"related": related, "outcome": done[key], "seconds": round(time.monotonic() - began)}
                with out.open("a") as file:
                    file.write(json.dumps({**mutant._asdict(), **took}) + "\n")
            messages.say(f"{number:3d} {done[key]:8} {mutant.file}:{mutant.line}  {mutant.before}  →  {mutant.after}")
    outcomes = [done[(each.file, each.start, each.after, related)] for each in chosen]
    print(f"{len(outcomes) - outcomes.count('survived')} of {len(outcomes)} mutants were noticed (of {len(there)} possible)")


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change to a module: a comparison, an operator, a number, a name's opposite or a branch."""
    text = path.read_text()
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    module = ast.parse(text)
    skipped = {id(inner) for node in ast.walk(module) for part in annotations(node) for inner in ast.walk(part)}
    for node in ast.walk(module):
        if isinstance(node, ast.expr) and id(node) not in skipped:
            start, end = (lines[row - 1] + column for row, column in ((node.lineno, node.col_offset), at_end(node)))
            before = text.encode()[start:end].decode()
            for new in changed(node):
                after = (
                    f"({ast.unparse(new)})"
                    if not isinstance(new, ast.Constant | ast.Name | ast.Attribute)
                    else ast.unparse(new)
                )
                yield Mutant(str(path.relative_to(ROOT)), node.lineno, before, after, start, end)


def annotations(node: ast.AST) -> list[ast.AST]:
    """What says types, and what a decorator is given."""
    found = [getattr(node, "annotation", None), getattr(node, "returns", None), *getattr(node, "decorator_list", [])]
    return [each for each in found if each is not None]


def at_end(node: ast.expr) -> tuple[int, int]:
    """The line, from 1, and the column at which an expression ends."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def changed(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that may stand in an expression's place."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=right):
            yield ast.Compare(left, [COMPARISONS[type(operator)]()], right)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(test=condition, body=body, orelse=other):
            yield ast.IfExp(condition, other, body)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            yield ast.Attribute(value, NAMES[name])
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name])


def copy_checkout(place: Path) -> None:
    """The files that git knows, elsewhere: no mutant touches the checkout."""
    names = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)


def tests_of(place: Path, file: str) -> list[list[str]]:
    """The test files: those of the module's own name or else of its wing, those that import it, the others."""
    module = file.removesuffix(".py").replace("/", ".")
    stem, package = module.rpartition(".")[2], module.rpartition(".")[0]
    imports = (f"from {module} import", f"import {module}", f"from {package} import")
    groups: list[list[str]] = [[], [], []]
    for path in sorted((place / "tests").rglob("test_*.py")):
        text = path.read_text()
        near = any(line.startswith(imports) and (package not in line.split() or stem in line) for line in text.splitlines())
        own = path.stem == f"test_{stem}" or (path.parent.name == Path(file).parent.name == "figures")
        groups[0 if own else 1 if near else 2].append(str(path.relative_to(place)))
    if not groups[0]:  # then those of the wing
        groups[0] = [name for group in groups[1:] for name in group if Path(name).parent.name == Path(file).parent.name]
    return [groups[0], *([name for name in group if name not in groups[0]] for group in groups[1:])]


def test(place: Path, mutant: Mutant, *, related: bool, seconds: int) -> str:
    """Runs the tests on the changed copy: killed, timed out, or survived."""
    path, groups = place / mutant.file, tests_of(place, mutant.file)
    whole = path.read_bytes()
    path.write_bytes(whole[: mutant.start] + mutant.after.encode() + whole[mutant.end :])
    files = [name for group in groups[: 2 if related and (groups[0] or groups[1]) else 3] for name in group]
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *files]
    try:
        environment = os.environ | {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(pytest, cwd=place, env=environment, capture_output=True, timeout=seconds, start_new_session=True)
        return "killed" if done.returncode else "survived"
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        path.write_bytes(whole)


if __name__ == "__main__":
    command.run(main)
