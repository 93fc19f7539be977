"""The environment over the file: ``SWITCHBOARD_<SECTION>__<FIELD>``, and the names that everybody else uses.

``SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__TENANT`` reaches into a table of tables in the same way.  A list is
written with commas.  An empty variable counts as not set, because that is how a ``.env`` file says "not set".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.settings.problems import Problems, did_you_mean

__all__ = ["ALIASES", "EMBEDDED", "OUTSIDE", "PREFIX", "Given", "overlay", "variable"]

PREFIX = "SWITCHBOARD_"

#: Variables that say where the settings are, and so are no settings themselves: meaning and default.
OUTSIDE = {
    "SWITCHBOARD_CONFIG": ("The TOML file; without it the working default.", "config/switchboard.toml"),
    "SWITCHBOARD_HOME": ("Folder of this copy's state and secrets.", ".switchboard"),
}

#: Set by `switchboard up` for what it starts: what only a trial may do is allowed.  Not for people to set.
EMBEDDED = "SWITCHBOARD_EMBEDDED"

#: Well-known names of settings.  The longer name of the same setting wins.
ALIASES = {
    "HOST": ("server", "host"),
    "PORT": ("server", "port"),
    "WEB_CONCURRENCY": ("server", "workers"),
    "DATABASE_URL": ("store", "database_url"),
    "REDIS_URL": ("store", "redis_url"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("telemetry", "otlp_endpoint"),
}

#: These are secrets, so their alias is a reference to itself.
_SECRET_ALIASES = frozenset({"DATABASE_URL", "REDIS_URL"})


class Given(msgspec.Struct, frozen=True):
    """A value that the environment gave, and the variable that it stood in."""

    text: str
    variable: str


def variable(path: tuple[str, ...]) -> str:
    """Return the name of the variable that sets the setting *path*."""
    return PREFIX + "__".join(part.upper() for part in path)


def overlay(table: dict[str, Any], environ: Mapping[str, str], problems: Problems) -> None:
    """Put what *environ* gives into *table*, as :class:`Given`, over what the file said."""
    for path, given in (*_aliases(table, environ), *_long_names(environ, problems)):
        *parents, field = path
        inner = table
        for parent in parents:
            inner = inner.setdefault(_as_written(inner, parent), {})
            if not isinstance(inner, dict):
                break
        else:
            inner[field] = given


def _as_written(table: Mapping[str, Any], name: str) -> str:
    """Return *name* as the file has it: a variable does not tell T024BE7LD, a workspace, from t024be7ld."""
    return next((known for known in table if known.lower() == name), name)


def _aliases(table: dict[str, Any], environ: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], Given]]:
    for name, path in _all_aliases(table).items():
        if text := environ.get(name, ""):
            yield path, Given(f"env:{name}" if name in _SECRET_ALIASES else text, name)


def _all_aliases(table: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the fixed names, and ``<NAME>_URL`` for each assistant of the file."""
    assistants = table.get("assistants")
    names = assistants if isinstance(assistants, dict) else {}
    urls = {f"{name.upper().replace('-', '_')}_URL": ("assistants", name, "url") for name in names}
    return {**urls, **ALIASES}


def _long_names(environ: Mapping[str, str], problems: Problems) -> Iterator[tuple[tuple[str, ...], Given]]:
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in OUTSIDE or name == EMBEDDED or not text:
            continue
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        if len(path) < 2 or not all(path):
            problems.add(name, f"unknown setting{did_you_mean(name, OUTSIDE)}")
        else:
            yield path, Given(text, name)
