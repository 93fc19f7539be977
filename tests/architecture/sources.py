"""Every Python file of ours, parsed once for all rules about the code itself.

What the rules ask about is kept and the trees are not: they are two million objects, which every collection of garbage
in this process would walk through until its end.  Nor are all of them looked at: functions and imports are statements,
which stand in no expression.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Function:
    """A function and how long it is."""

    name: str
    line: int
    lines: int


@dataclass(frozen=True)
class Source:
    """A file and what is in it.  ``name`` is its path from the root, as reports show it."""

    name: str
    text: str
    documented: bool
    #: Full names of all modules that it imports, wherever in the file.
    imports: frozenset[str]
    functions: tuple[Function, ...]
    reads_environment: bool


def sources(*folders: str) -> tuple[Source, ...]:
    """Return the files under *folders*."""
    return tuple(_source(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def _source(path: Path) -> Source:
    text = path.read_text()
    tree = ast.parse(text)
    imports: set[str] = set()
    functions = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.add(node.module)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(Function(node.name, node.lineno, (node.end_lineno or 0) - node.lineno + 1))
    return Source(
        name=str(path.relative_to(ROOT)),
        text=text,
        documented=bool(ast.get_docstring(tree)),
        imports=frozenset(imports),
        functions=tuple(functions),
        # Few files name it at all.
        reads_environment=("environ" in text or "getenv" in text) and any(map(_reads_environment, ast.walk(tree))),
    )


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every statement, however deep, and the clauses that hold some."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            left += getattr(node, field, ())


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in {"environ", "getenv"} and isinstance(node.value, ast.Name) and node.value.id == "os"
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and "environ" in {alias.name for alias in node.names}
    return False
