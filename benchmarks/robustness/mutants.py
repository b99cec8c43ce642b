"""Changes to a module that a test should notice.

Each changes one expression: a comparison, an operator, a number, a name's opposite, a branch.
Numbers that no test should hold stay: sizes and shades in figures/, and published results.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
}
NAMES = {
    "min": "max",
    "max": "min",
    "argmin": "argmax",
    "argmax": "argmin",
    "any": "all",
    "all": "any",
    "minimum": "maximum",
    "maximum": "minimum",
}
TABLES = ("FASHION_MNIST", "RELEASED_LOSS")
"""Names of published results, which are only quoted."""


class Mutant(NamedTuple):
    """One change to a file: the bytes from start to end become `after`."""

    file: str
    line: int
    before: str
    after: str
    start: int
    end: int


def all_mutants() -> list[Mutant]:
    """Return every change to every module of jaxae."""
    modules = sorted((ROOT / "jaxae").rglob("*.py"))
    return [each for path in modules if not path.stem.startswith("__") for each in mutants_of(path)]


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Yield every change to a module."""
    raw = path.read_bytes()
    module = ast.parse(raw)
    skipped = left_alone(module, in_figures=path.parent.name == "figures")
    line_starts = [0]
    for line in raw.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))

    for node in ast.walk(module):
        if not isinstance(node, ast.expr) or id(node) in skipped:
            continue
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = line_starts[node.lineno - 1] + node.col_offset
        end = line_starts[node.end_lineno - 1] + node.end_col_offset
        before = raw[start:end].decode()
        for new in changed(node):
            after = ast.unparse(new)
            if not isinstance(new, ast.Constant | ast.Name | ast.Attribute):
                after = f"({after})"
            file = path.relative_to(ROOT).as_posix()
            yield Mutant(file, node.lineno, before, after, start, end)


def left_alone(module: ast.Module, *, in_figures: bool) -> set[int]:
    """Return the ids of nodes in annotations, decorators and tables, and of numbers in figures."""
    parts: list[ast.AST] = []
    for node in ast.walk(module):
        parts += getattr(node, "decorator_list", [])
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                parts.append(getattr(node, name))
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id in TABLES:
                parts.append(node)
    skipped = {id(inner) for part in parts for inner in ast.walk(part)}

    if in_figures:
        subscripts = [node for node in ast.walk(module) if isinstance(node, ast.Subscript)]
        indices = {id(inner) for node in subscripts for inner in ast.walk(node.slice)}
        skipped |= {
            id(node)
            for node in ast.walk(module)
            if isinstance(node, ast.Constant)
            and type(node.value) in (int, float)
            and id(node) not in indices
        }
    return skipped


def changed(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what may be put in an expression's place."""
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
