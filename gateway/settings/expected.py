"""What a setting's type accepts, in words: for error messages and for config/example.env."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from gateway.settings.prose import Prose
from gateway.settings.secret import Secret

__all__ = ["expected"]

#: Types of ours.
_OURS: dict[type, str] = {Secret: "env:NAME or file:PATH", Prose: "a text or file:PATH"}


def expected(kind: Any) -> str:
    """Return what a value of the type *kind* looks like, such as "an integer from 1 to 65535"."""
    info = inspect.type_info(kind)
    if isinstance(info, inspect.UnionType) and info.includes_none:
        # None is what it is where nothing is set: nobody writes it.
        (info,) = (one for one in info.types if not isinstance(one, inspect.NoneType))
    return _words(info)


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer" + _range(kind.ge, kind.le)
        case inspect.FloatType():
            return "a number" + _range(kind.ge, kind.le)
        case inspect.StrType():
            return "a text"
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in kind.values)
        case inspect.CustomType() if kind.cls in _OURS:
            return _OURS[kind.cls]
        case inspect.VarTupleType():
            one = _words(kind.item_type)
            return "a list of " + (one + "s" if one in {"a text", "a table"} else one).removeprefix("a ")
        case inspect.StructType() | inspect.DictType():
            return "a table"
        case _:
            # A field of a kind that nobody has described would be documented as nothing.
            raise NotImplementedError(f"settings of the kind {type(kind).__name__} have no words yet")


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}" if max(abs(low), abs(high)) < 1e5 else f" from {low} to {high}"
    return "" if low is None else f" of at least {low:g}"
