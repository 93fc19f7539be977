"""What an assistant has the gateway remember of somebody: read from the turn, and told back where it has changed."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["changed_memory", "remembered"]

Tastes = TypeVar("Tastes", bound=msgspec.Struct)


def remembered(memory: dict[str, Any] | None, into: type[Tastes]) -> Tastes:
    """Return the tastes that *memory* stands for; none where it cannot be read."""
    if not memory:
        return into()
    try:
        return msgspec.convert(memory, into)
    except msgspec.ValidationError:
        return into()


def changed_memory(after: msgspec.Struct, before: msgspec.Struct) -> dict[str, Any] | UnsetType | None:
    """Return what is to be remembered; nothing where nothing changed, so that two conversations of one person, at the
    same time, do not undo each other's.
    """
    if after == before:
        return UNSET
    return msgspec.to_builtins(after) or None
