"""Every Python file of ours, parsed once for all rules about the code itself.

What the rules ask about is kept and the trees are not: they are two million objects, which every collection of garbage
in this process would walk through until its end.
"""

from __future__ import annotations

import ast
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
    reads_environment = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.add(node.module)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(Function(node.name, node.lineno, (node.end_lineno or 0) - node.lineno + 1))
        reads_environment = reads_environment or _reads_environment(node)
    return Source(
        name=str(path.relative_to(ROOT)),
        text=text,
        documented=bool(ast.get_docstring(tree)),
        imports=frozenset(imports),
        functions=tuple(functions),
        reads_environment=reads_environment,
    )


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in {"environ", "getenv"} and isinstance(node.value, ast.Name) and node.value.id == "os"
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and "environ" in {alias.name for alias in node.names}
    return False
