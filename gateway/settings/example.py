"""config/example.env, written from the settings' own comments, types and defaults.

    python -m gateway.settings.example > config/example.env

A test compares the file with what this module writes, so a setting without a comment, or a changed default
that the file does not know, fails it.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, structs

from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.settings.assistants import AssistantSettings
from gateway.settings.environment import ALIASES, OUTSIDE, variable
from gateway.settings.expected import expected
from gateway.settings.schedules import ScheduleSettings
from gateway.settings.secret import Secret
from gateway.settings.settings import SECTIONS
from gateway.settings.webhooks import WebhookSettings

__all__ = ["comments", "example_env"]

WIDTH = 110
_HEAD = """\
# Every setting that the environment can give, with its default.
# Written by `python -m gateway.settings.example`; a test compares.
#
# An environment variable overrides the TOML file; an empty one counts as not set.
# Lists are written with commas.
# A secret is never written here: "env:NAME" names another variable, "file:PATH" a file seen from
# SWITCHBOARD_HOME.
# <NAME> is an account's, an assistant's, a schedule's or a webhook's name in capitals; one with a hyphen can be set in
# the file only.
"""
_KEYS = frozenset({"channel", "name"})


def example_env() -> str:
    """Return the text of config/example.env."""
    lines = [_HEAD, "# ---- where things are"]
    for name, (meaning, default) in OUTSIDE.items():
        lines += ["", f"# {meaning}", f"#{name}={default}"]
    for name, kind in SECTIONS.items():
        lines += ["", "", f"# ---- [{name}]", *_struct(kind, (name,))]
    lines += ["", "", "# ---- [assistants.<name>]", *_struct(AssistantSettings, ("assistants", "<name>"))]
    lines += ["", "", "# ---- [schedules.<name>]", *_struct(ScheduleSettings, ("schedules", "<name>"))]
    lines += ["", "", "# ---- [webhooks.<name>]", *_struct(WebhookSettings, ("webhooks", "<name>"))]
    for channel, account in ACCOUNT_TYPES.items():
        lines += ["", "", f"# ---- [accounts.{channel}.<name>]"]
        lines += _struct(account, ("accounts", channel, "<name>"))
    return "\n".join(lines) + "\n"


def comments(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the ``#:`` comment above each field of *kind*, those of its bases included."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        if one is msgspec.Struct or not issubclass(one, msgspec.Struct):
            continue
        source = textwrap.dedent(inspect.getsource(one))
        lines = source.splitlines()
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.ClassDef)
        for statement in definition.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = _above(lines, statement.lineno - 1)
    return found


def _above(lines: list[str], index: int) -> str:
    begin = index
    while lines[begin - 1].strip().startswith("#:"):
        begin -= 1
    return " ".join(line.strip()[2:].strip() for line in lines[begin:index])


def _struct(kind: type[msgspec.Struct], path: tuple[str, ...]) -> Iterator[str]:
    meanings = comments(kind)
    for field in structs.fields(kind):
        where = (*path, field.name)
        if field.name in _KEYS or _is_tables(field.type):
            continue
        kind_of_field = msgspec.inspect.type_info(field.type)
        if isinstance(kind_of_field, msgspec.inspect.StructType):
            yield from _struct(kind_of_field.cls, where)
            continue
        yield ""
        yield from _comment(meanings[field.name].replace("``", ""))
        yield f"# Takes {expected(field.type)}{_short_name(where)}."
        yield f"#{variable(where)}={_default(field)}"


def _short_name(path: tuple[str, ...]) -> str:
    if path == ("assistants", "<name>", "url"):
        return "; short name <NAME>_URL"
    names = [name for name, target in ALIASES.items() if target == path]
    return f"; short name {names[0]}" if names else ""


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False)]


def _is_tables(kind: Any) -> bool:
    """Whether the setting is a table or a list of tables, which a variable cannot hold."""
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.DictType):
        return True
    return isinstance(info, msgspec.inspect.VarTupleType) and isinstance(
        info.item_type, msgspec.inspect.StructType
    )


def _default(field: structs.FieldInfo) -> str:
    value = field.default
    if value is NODEFAULT or value is None or isinstance(value, Secret):
        return ""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(example_env())
