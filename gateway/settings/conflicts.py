"""Settings that are right each by itself and cannot work together: one of them would never do anything.

Noted where a file is loaded, each under its own name, all at once.  A struct's ``__post_init__`` (``[lanes]``,
``[outbox]``) knows one problem of a whole section, and refuses whoever makes a struct with one wait shortened; that is
for rules without which a process would do wrong.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from gateway.settings.assistants import AssistantSettings
from gateway.settings.openai import OpenaiSettings, note_openai_problems
from gateway.settings.problems import Problems
from gateway.settings.rpc import RpcSettings

__all__ = ["note_assistant_conflicts", "note_rpc_conflicts"]

_Relation = Literal["at least", "at most", "less than"]

_HOLDS: dict[_Relation, Callable[[Any, Any], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "less than": operator.lt,
}


class _Rule(msgspec.Struct, frozen=True):
    """What *field* has to be, seen from *other*, and why where the names do not say it."""

    field: str
    relation: _Relation
    other: str
    why: str = ""


_GIVEN_UP_FIRST = ": a call would be given up before it is slow"

_RPC = (
    _Rule("limit_floor", "at most", "connections_max"),
    _Rule("dns_keep_s", "at least", "dns_refresh_s", ": addresses would be gone before they are looked up again"),
    _Rule("retry_base_s", "at most", "retry_max_s"),
    _Rule("breaker_slow_s", "less than", "first_byte_timeout_s", _GIVEN_UP_FIRST),
    # Slow or failed calls together against the one, failed ones alone against the other.
    _Rule("breaker_slow_ratio", "at least", "breaker_failure_ratio", ": it counts failed calls too"),
    _Rule("breaker_open_base_s", "at most", "breaker_open_max_s"),
)
_ASSISTANT = (_Rule("slow_s", "less than", "first_byte_timeout_s", _GIVEN_UP_FIRST),)


def note_rpc_conflicts(settings: RpcSettings, problems: Problems) -> None:
    """Note what cannot work in ``[rpc]``."""
    _note(settings, _RPC, "rpc", problems)


def note_assistant_conflicts(name: str, settings: AssistantSettings, problems: Problems) -> None:
    """Note what cannot work in ``[assistants.<name>]``."""
    where = f"assistants.{name}"
    _note(settings, _ASSISTANT, where, problems)
    if settings.hedge and not settings.honours_idempotency_key:
        problems.add(
            f"{where}.hedge",
            "expected honours_idempotency_key = true beside it, got false: no call may be made a second time",
        )
    if settings.kind == "openai":
        note_openai_problems(f"{where}.openai", settings.openai, problems)
        if settings.signing_secrets:
            problems.add(
                f"{where}.signing_secrets", "a model server checks no signature: openai.api_key is the setting"
            )
    elif settings.openai != OpenaiSettings():
        problems.add(f"{where}.openai", f'expected kind = "openai" beside it, got "{settings.kind}"')


def _note(settings: msgspec.Struct, rules: tuple[_Rule, ...], where: str, problems: Problems) -> None:
    for rule in rules:
        value, other = getattr(settings, rule.field), getattr(settings, rule.other)
        if not _HOLDS[rule.relation](value, other):
            problems.add(
                f"{where}.{rule.field}",
                f"expected {rule.relation} {rule.other} ({other:.12g}), got {value:.12g}{rule.why}",
            )
