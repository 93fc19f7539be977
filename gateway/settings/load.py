"""From one TOML file and the environment to one frozen value, or to all that is wrong with them.

``load`` is for processes that do the work; ``load_store``, ``load_jobs``, ``load_assistants`` and ``load_webhooks`` for
commands and programs that touch the stores alone, because a release phase that migrates, or an operator's shell, has no
platform's secrets and needs none.

The default arguments here are the only places where a process reads its environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import psycopg2
from psycopg2.extensions import parse_dsn

from gateway.settings.accounts import ACCOUNT_TYPES, Account, SlackAccount
from gateway.settings.assistants import AssistantSettings
from gateway.settings.build import Builder
from gateway.settings.conflicts import note_assistant_conflicts, note_rpc_conflicts
from gateway.settings.environment import overlay
from gateway.settings.jobs import JobSettings
from gateway.settings.problems import Problems, SettingsError, UnknownAccount, did_you_mean
from gateway.settings.redis_address import redis_address
from gateway.settings.retention import RetentionSettings, note_retention_problems
from gateway.settings.rpc import RpcSettings
from gateway.settings.schedules import PLATFORM_SCHEDULES, ScheduleSettings, note_schedule_problems
from gateway.settings.secret import Secret
from gateway.settings.settings import SECTIONS, Settings
from gateway.settings.store import StoreSettings
from gateway.settings.telemetry import TelemetrySettings, note_telemetry_problems
from gateway.settings.trials import note_trial_problems
from gateway.settings.webhooks import WebhookSettings, note_webhook_problems, note_webhook_secrets

__all__ = [
    "SettingsError", "home_folder", "load", "load_account", "load_assistants", "load_jobs", "load_store",
    "load_webhooks",
]  # fmt: skip

#: The working default of a checkout.
DEFAULT_FILE = Path(__file__).parents[2] / "config" / "switchboard.toml"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
#: A name is part of addresses, metrics' labels and variables, where "__" separates.
_NAME = re.compile(r"(?!.*__)[a-z0-9][a-z0-9_-]{0,63}")
_NAME_RULE = "a name has 1 to 64 of a-z, 0-9, - and _, no two _ together, and begins with a letter or digit"


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the file *path*, or of the one that SWITCHBOARD_CONFIG names, under *environ*.

    :raises SettingsError: with every problem that was found.
    """
    problems = Problems()
    table = _read(path, environ, problems)
    home = home_folder(environ)
    builder = Builder(environ, home, problems)
    known = (*SECTIONS, "accounts", "assistants", "schedules", "webhooks")
    for name in table:
        if name not in known:
            builder.unknown((name,), table[name], known)
    sections = {name: builder.struct(kind, table.get(name, {}), (name,)) for name, kind in SECTIONS.items()}
    if isinstance(rpc := sections["rpc"], RpcSettings):
        note_rpc_conflicts(rpc, problems)
    if isinstance(retention := sections["retention"], RetentionSettings):
        note_retention_problems(retention, problems)
    if isinstance(tracing := sections["telemetry"], TelemetrySettings):
        note_telemetry_problems(tracing, problems)
    assistants = _assistants(builder, table, problems)
    accounts = _accounts(builder, table, problems)
    schedules = _schedules(builder, table, problems)
    webhooks = _webhooks(builder, table, problems, secrets=True)
    _check(accounts, assistants, sections["store"], problems)
    note_trial_problems(accounts.values(), environ, problems)
    problems.raise_if_any()
    return Settings(
        home=home,
        accounts=MappingProxyType(_with_workspaces(accounts)),
        assistants=MappingProxyType({name: one for name, one in assistants.items() if one}),
        schedules=MappingProxyType({name: one for name, one in schedules.items() if one}),
        webhooks=MappingProxyType({name: one for name, one in webhooks.items() if one}),
        **sections,  # type: ignore[arg-type]  # none is None: that would have been a problem
    )


def load_store(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> StoreSettings:
    """Return only the ``[store]`` section; both addresses may be empty.

    :raises SettingsError: with every problem of that section.
    """
    problems = Problems()
    store = _store(_read(path, environ, problems), environ, problems)
    problems.raise_if_any()
    assert store is not None
    return store


def load_jobs(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[StoreSettings, JobSettings]:
    """Return only the sections ``[store]`` and ``[jobs]``, for who asks for jobs; both addresses may be empty.

    :raises SettingsError: with every problem of the two.
    """
    problems = Problems()
    table = _read(path, environ, problems)
    store = _store(table, environ, problems)
    jobs = Builder(environ, home_folder(environ), problems).struct(JobSettings, table.get("jobs", {}), ("jobs",))
    problems.raise_if_any()
    assert store is not None
    assert jobs is not None
    return store, jobs


def load_assistants(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Mapping[str, AssistantSettings]:
    """Return the assistants by name, without their secrets: for who wants to know where they are.

    :raises SettingsError: with every problem of theirs.
    """
    problems = Problems()
    table = _without_secrets(_read(path, environ, problems), "assistants", problems)
    found = _assistants(Builder(environ, home_folder(environ), problems), table, problems)
    problems.raise_if_any()
    return MappingProxyType({name: one for name, one in found.items() if one})


def load_account(
    channel: str, name: str, path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Account, RpcSettings]:
    """Return one account with its secrets, and ``[rpc]``, for who sets it up at its platform.

    :raises UnknownAccount: there is no such account.
    :raises SettingsError: with every problem of it and of that section.
    """
    problems = Problems()
    table = _read(path, environ, problems)
    builder = Builder(environ, home_folder(environ), problems)
    rpc = builder.struct(RpcSettings, table.get("rpc", {}), ("rpc",))
    channels = _tables(table.get("accounts", {}), "accounts", problems)
    there = _tables(channels.get(channel, {}), f"accounts.{channel}", problems)
    problems.raise_if_any()
    if name not in there:
        raise UnknownAccount(channel, name, there)
    account = _accounts(builder, {"accounts": {channel: {name: there[name]}}}, problems)[channel, name]
    problems.raise_if_any()
    assert account is not None
    assert rpc is not None
    return account, rpc


def load_webhooks(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Mapping[str, WebhookSettings]:
    """Return the webhooks by name, without their secrets: for who wants to know where they lead.

    :raises SettingsError: with every problem of theirs.
    """
    problems = Problems()
    table = _without_secrets(_read(path, environ, problems), "webhooks", problems)
    found = _webhooks(Builder(environ, home_folder(environ), problems), table, problems, secrets=False)
    problems.raise_if_any()
    return MappingProxyType({name: one for name, one in found.items() if one})


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return SWITCHBOARD_HOME, or its default below the working folder."""
    return Path(environ.get("SWITCHBOARD_HOME") or ".switchboard").absolute()


def _read(path: Path | None, environ: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    path = path or Path(environ.get("SWITCHBOARD_CONFIG") or DEFAULT_FILE)
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        problems.add(str(path), f"cannot be read: {error.strerror} (SWITCHBOARD_CONFIG)")
    except UnicodeDecodeError:
        problems.add(str(path), "is not UTF-8 text")
    except tomllib.TOMLDecodeError as error:
        problems.add(str(path), f"is not TOML: {error}")
    # Without the file every other problem would be an echo of this one.
    problems.raise_if_any()
    overlay(table, environ, problems)
    return table


def _store(table: dict[str, Any], environ: Mapping[str, str], problems: Problems) -> StoreSettings | None:
    store = Builder(environ, home_folder(environ), problems).struct(
        StoreSettings, table.get("store", {}), ("store",)
    )
    if store and store.database_url:
        _check_database_url(store.database_url, problems)
    if store and store.redis_url:
        _check_redis_url(store.redis_url, problems)
    return store


def _assistants(
    builder: Builder, table: dict[str, Any], problems: Problems
) -> dict[str, AssistantSettings | None]:
    found = {}
    for name, fields in _tables(table.get("assistants", {}), "assistants", problems).items():
        found[name] = one = builder.struct(AssistantSettings, fields, ("assistants", name))
        if one:
            note_assistant_conflicts(name, one, problems)
    return found


def _accounts(
    builder: Builder, table: dict[str, Any], problems: Problems
) -> dict[tuple[str, str], Account | None]:
    found: dict[tuple[str, str], Account | None] = {}
    for channel, accounts in _tables(table.get("accounts", {}), "accounts", problems).items():
        kind = ACCOUNT_TYPES.get(channel)
        if kind is None:
            hint = did_you_mean(channel, ACCOUNT_TYPES, "accounts.")
            problems.add(f"accounts.{channel}", f"unknown channel{hint}")
            continue
        for name, fields in _tables(accounts, f"accounts.{channel}", problems).items():
            path = ("accounts", channel, name)
            found[channel, name] = builder.struct(kind, fields, path, channel=channel, name=name)
    return found


def _with_workspaces(accounts: Mapping[tuple[str, str], Account | None]) -> dict[tuple[str, str], Account]:
    """Return *accounts*, and one more for each workspace of theirs."""
    found = {key: account for key, account in accounts.items() if account}
    apps = [account for account in found.values() if isinstance(account, SlackAccount)]
    found |= {(each.channel, each.name): each for app in apps for each in app.installed()}
    return found


def _schedules(
    builder: Builder, table: dict[str, Any], problems: Problems
) -> dict[str, ScheduleSettings | None]:
    found: dict[str, ScheduleSettings | None] = dict(PLATFORM_SCHEDULES)
    for name, fields in _tables(table.get("schedules", {}), "schedules", problems).items():
        ours = PLATFORM_SCHEDULES.get(name)
        whole = {**msgspec.structs.asdict(ours), **fields} if ours and isinstance(fields, dict) else fields
        found[name] = one = builder.struct(ScheduleSettings, whole, ("schedules", name))
        if one:
            note_schedule_problems(name, one, problems)
    return found


def _webhooks(
    builder: Builder, table: dict[str, Any], problems: Problems, *, secrets: bool
) -> dict[str, WebhookSettings | None]:
    found = {}
    for name, fields in _tables(table.get("webhooks", {}), "webhooks", problems).items():
        found[name] = one = builder.struct(WebhookSettings, fields, ("webhooks", name))
        if one:
            note_webhook_problems(name, one, problems)
        if one and secrets:
            note_webhook_secrets(name, one, problems)
    return found


def _without_secrets(table: dict[str, Any], section: str, problems: Problems) -> dict[str, Any]:
    """Return the tables of *section* alone, without what lies elsewhere and only processes need that do the work."""
    named = _tables(table.get(section, {}), section, problems)
    return {section: {name: _public(fields) for name, fields in named.items()}}


def _public(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {
        key: _public(value)
        for key, value in fields.items()
        if key not in {"signing_secrets", "api_key", "system_prompt"}
    }


def _tables(value: Any, where: str, problems: Problems) -> dict[str, Any]:
    """Return the named tables of *value*, noting names that cannot be one."""
    if not isinstance(value, dict):
        problems.add(where, "expected tables by name")
        return {}
    for name in value:
        if not _NAME.fullmatch(name):
            problems.add(f"{where}.{name[:64]!r}", _NAME_RULE)
    return value


def _check(
    accounts: Mapping[tuple[str, str], Account | None],
    assistants: Mapping[str, AssistantSettings | None],
    store: object,
    problems: Problems,
) -> None:
    """Note what no section can know by itself."""
    if not accounts:
        problems.add("accounts", "none is configured: there is nobody to answer")
    if not assistants:
        problems.add("assistants", "none is configured: there is nothing that could answer")
    for (channel, name), account in accounts.items():
        for where, assistant in _assistants_named(account) if account and assistants else ():
            if assistant not in assistants:
                hint = did_you_mean(assistant, assistants)
                problems.add(f"accounts.{channel}.{name}.{where}", f"no assistant is named {assistant!r}{hint}")
    if isinstance(store, StoreSettings):
        _check_database_url(store.database_url, problems)
        _check_redis_url(store.redis_url, problems)


def _assistants_named(account: Account) -> Iterator[tuple[str, str]]:
    yield "assistant", account.assistant
    if isinstance(account, SlackAccount):
        for team_id, own in account.workspaces.items():
            if own.assistant:
                yield f"workspaces.{team_id}.assistant", own.assistant


def _check_database_url(address: Secret, problems: Problems) -> None:
    if not address:
        problems.add("store.database_url", "required: set DATABASE_URL, or run `switchboard up`")
    elif not address.reveal().startswith(POSTGRES_SCHEMES):
        problems.add(
            "store.database_url", f"expected an address with {' or '.join(POSTGRES_SCHEMES)} (not shown)"
        )
    else:
        try:
            parse_dsn(address.reveal())
        except (psycopg2.ProgrammingError, ValueError):
            # libpq's own text quotes what it cannot read, which is a password as often as not.
            problems.add(
                "store.database_url",
                "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with % and other special characters of each"
                " percent-encoded, and only parameters that libpq knows (not shown)",
            )


def _check_redis_url(address: Secret, problems: Problems) -> None:
    if not address:
        problems.add("store.redis_url", "required: set REDIS_URL, or run `switchboard up`")
        return
    try:
        redis_address(address.reveal())
    except ValueError as error:
        problems.add("store.redis_url", f"{error} (not shown)")
