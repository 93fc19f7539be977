"""Putting words together: lists in English, articles, and a choice between sayings that repeats for the same turn."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

__all__ = ["a", "capital", "chosen", "counted", "draw", "joined"]


def joined(names: Sequence[str], word: str = "and") -> str:
    """Return ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def a(name: str) -> str:
    """Return *name* with its indefinite article."""
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def capital(text: str) -> str:
    """Return *text* with a capital at its beginning and the rest as it is."""
    return text[:1].upper() + text[1:]


def counted(count: int, one: str, many: str) -> str:
    """Return *one* or *many*, with the number in words where it is small."""
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return f"{small[count] if count < len(small) else count} {one if count == 1 else many}"


def draw(seed: str, below: int) -> int:
    """Return a number from 0 to *below*, excluded, that *seed* decides: the same turn gets the same answer again."""
    return zlib.crc32(seed.encode("utf-8", "replace")) % below


def chosen(options: Sequence[str], seed: str) -> str:
    """Return one of *options*, decided by *seed*."""
    return options[draw(seed, len(options))]
