"""A table for a person: aligned columns, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return *rows* under *heads*, two spaces between columns."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(heads), *cells]) for column in range(len(heads))]
    right = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in [list(heads), *cells])
