"""The changes to a module that a test should notice: a comparison, an operator, a number, a name's opposite or a branch.

Two kinds of number are left alone: in figures/ those that are no index, which are sizes and shades, and the published results.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT

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
OPERATORS = {
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
}


class Mutant(NamedTuple):
    """One change: a piece of a file, from offset to end, and what stands there instead."""

    file: str
    line: int
    before: str
    after: str
    start: int
    end: int


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change to a module."""
    text = path.read_text()
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    module = ast.parse(text)
    skipped = {
        id(inner)
        for node in ast.walk(module)
        for part in annotations(node)
        for inner in ast.walk(part)
    }
    if path.parent.name == "figures" or path.stem == "published_results":
        skipped |= {id(number) for number in numbers_beside_indices(module)}
    for node in ast.walk(module):
        if isinstance(node, ast.expr) and id(node) not in skipped:
            start, end = (
                lines[row - 1] + column
                for row, column in ((node.lineno, node.col_offset), at_end(node))
            )
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
    found = [
        getattr(node, "annotation", None),
        getattr(node, "returns", None),
        *getattr(node, "decorator_list", []),
    ]
    return [each for each in found if each is not None]


def numbers_beside_indices(module: ast.Module) -> list[ast.Constant]:
    """The numbers of a module, but for those in square brackets."""
    indices = {
        id(each)
        for node in ast.walk(module)
        if isinstance(node, ast.Subscript)
        for each in ast.walk(node.slice)
    }
    numbers = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]
    return [node for node in numbers if id(node) not in indices]


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
