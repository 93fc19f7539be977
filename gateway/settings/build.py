"""Builds a settings struct of a table, noting every problem instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, inspect, structs

from gateway.settings.environment import Given, variable
from gateway.settings.expected import expected
from gateway.settings.problems import Problems, did_you_mean, shown
from gateway.settings.prose import Prose
from gateway.settings.references import BadReference, read_prose, resolve
from gateway.settings.secret import Secret

__all__ = ["Builder"]

S = TypeVar("S", bound=msgspec.Struct)
#: The keys that lead to a setting, outermost first.
Keys = tuple[str, ...]


class _Wrong(Exception):
    """The value is noted as a problem already."""


class Builder:
    """Builds structs; *environ* and *home* are where references to secrets lead."""

    def __init__(self, environ: Mapping[str, str], home: Path, problems: Problems) -> None:
        self._environ = environ
        self._home = home
        self._problems = problems

    def struct(self, kind: type[S], table: object, path: Keys, **given: Any) -> S | None:
        """Return a *kind* of *table*, or None after noting why not; *given* are fields no table may set."""
        if not isinstance(table, dict):
            self._wrong(path, table, "expected a table, got " + shown(_raw(table)))
            return None
        fields = {field.name: field for field in structs.fields(kind) if field.name not in given}
        for name in table:
            if name not in fields:
                self.unknown((*path, name), table[name], fields)
        values = dict(given)
        whole = True
        for name, field in fields.items():
            if name in table:
                try:
                    values[name] = self._value(field.type, table[name], (*path, name))
                except _Wrong:
                    whole = False
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self._problems.add(_dotted((*path, name)), f"required, expected {expected(field.type)}")
                whole = False
        if not whole:
            return None
        try:
            return kind(**values)
        except ValueError as error:
            # A rule between the fields of one struct: its __post_init__ says which.
            self._problems.add(_dotted(path), str(error))
            return None

    def unknown(self, path: Keys, value: object, known: Collection[str]) -> None:
        """Note that there is no setting *path*; *known* are the names that may stand there."""
        what = "unknown setting" if len(path) > 1 else "unknown section"
        given = _first_given(value)
        if given is None:
            prefix = "".join(part + "." for part in path[:-1])
            self._problems.add(_dotted(path), what + did_you_mean(path[-1], known, prefix))
        else:
            prefix = variable((*path[:-1], ""))
            rest = given.variable[len(variable(path)) :]
            hint = did_you_mean(path[-1].upper(), [name.upper() for name in known], prefix)
            self._problems.add(given.variable, what + (hint.replace("?", rest + "?") if hint else ""))

    def _value(self, kind: Any, value: object, path: Keys) -> Any:
        info = inspect.type_info(kind)
        if isinstance(info, inspect.CustomType) and info.cls is Secret:
            return self._secret(value, path)
        if isinstance(info, inspect.CustomType) and info.cls is Prose:
            return self._prose(value, path)
        if isinstance(info, inspect.StructType):
            built = self.struct(info.cls, value, path)
            if built is None:
                raise _Wrong
            return built
        if isinstance(info, inspect.VarTupleType):
            return self._list(kind, value, path)
        try:
            if isinstance(info, inspect.DictType):
                if isinstance(info.value_type, inspect.StructType):
                    return self._tables(info.value_type.cls, value, path)
                value = _plain(value)
            # The environment knows texts only; in the file a number in quotes is a mistake.
            return msgspec.convert(_raw(value), kind, strict=not isinstance(value, Given))
        except msgspec.ValidationError:
            found = shown(_raw(value))
        raise self._wrong(path, value, f"expected {expected(kind)}, got {found}")

    def _tables(self, kind: type[S], value: object, path: Keys) -> dict[str, S]:
        if not isinstance(value, dict):
            raise self._wrong(path, value, "expected tables by name, got " + shown(_raw(value)))
        built = {name: self.struct(kind, table, (*path, name)) for name, table in value.items()}
        whole = {name: one for name, one in built.items() if one is not None}
        if len(whole) < len(built):
            raise _Wrong
        return whole

    def _list(self, kind: Any, value: object, path: Keys) -> tuple[Any, ...]:
        if isinstance(value, Given):
            items: list[object] = [Given(part.strip(), value.variable) for part in value.text.split(",")]
        elif isinstance(value, list):
            items = value
        else:
            # Not shown: a secret that stands outside its list is a secret all the same.
            raise self._wrong(path, value, f"expected {expected(kind)}, got a single value")
        (item_kind, _) = kind.__args__
        values: list[Any] = []
        wrong = False
        for index, item in enumerate(items):
            try:
                values.append(self._value(item_kind, item, (*path[:-1], f"{path[-1]}[{index}]")))
            except _Wrong:
                wrong = True
        if wrong:
            raise _Wrong
        return tuple(values)

    def _secret(self, value: object, path: Keys) -> Secret:
        try:
            return resolve(_raw(value), self._environ, self._home)
        except BadReference as error:
            text = str(error)
        raise self._wrong(path, value, text)

    def _prose(self, value: object, path: Keys) -> Prose:
        raw = _raw(value)
        if not isinstance(raw, str):
            raise self._wrong(path, value, f"expected {expected(Prose)}, got {shown(raw)}")
        try:
            return read_prose(raw, self._home)
        except BadReference as error:
            text = str(error)
        raise self._wrong(path, value, text)

    def _wrong(self, path: Keys, value: object, what: str) -> _Wrong:
        where = _dotted(path)
        self._problems.add(f"{where} ({value.variable})" if isinstance(value, Given) else where, what)
        return _Wrong()


def _raw(value: object) -> object:
    return value.text if isinstance(value, Given) else value


def _plain(value: object) -> object:
    """Return a table that is handed on as it is, with the texts that the environment gave inside."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return _raw(value)


def _dotted(path: Keys) -> str:
    return ".".join(path)


def _first_given(value: object) -> Given | None:
    """Return a value of the environment in *value* if nothing in it is the file's."""
    if isinstance(value, dict):
        found = [_first_given(inner) for inner in value.values()]
        return found[0] if found and None not in found else None
    return value if isinstance(value, Given) else None
