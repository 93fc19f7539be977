"""Drafts are checked where they are asked for: what the ledger would refuse, or a handler choke on, is refused here.

So one caller's mistake is that caller's error, and never that of others whose jobs share its statement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from gateway.domain.errors import BadRequest, TooLarge
from gateway.domain.job import Draft
from gateway.domain.resilience.priority import Priority
from gateway.domain.text import clean
from gateway.jobs.kinds import OWN_KEYS

__all__ = ["DELAY_S_MAX", "KEEP_S_MAX", "WORD_CHARS_MAX", "checked", "draft", "due_at"]

#: Characters of a lane, a unique key or a trace id: keys of an index.
WORD_CHARS_MAX = 256
#: Seconds for which a result is kept at most: 90 days.  What must last longer belongs in a table of its own.
KEEP_S_MAX = 90 * 86_400.0
#: Seconds by which a job can be put off: what lies further ahead is a mistake in the unit.
DELAY_S_MAX = 100 * 366 * 86_400.0
#: 9999-12-31 as Unix seconds.
_RUN_AT_MAX = 253_402_214_400.0
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_OWN_KEYS = tuple(OWN_KEYS)

_encode = msgspec.json.Encoder().encode


def draft(
    kind: str,
    payload: Any,
    *,
    payload_bytes_max: int,
    lane: str | None = None,
    run_at: datetime | float | None = None,
    unique: str | None = None,
    priority: Priority = Priority.NORMAL,
    keep_s: float = 0.0,
    trace_id: str = "",
) -> Draft:
    """Return a draft that the ledger takes, its payload encoded.

    :raises BadRequest: something in it can never be written; the message names it.
    """
    if not _is_kind(kind):
        raise BadRequest(
            f"expected a kind of lower-case letters, digits and _ . -, at most 64, got {_shown(kind)}",
            reason="bad_kind",
        )
    if lane is not None and not _is_word(lane):
        raise _no_word("lane", lane)
    if unique is not None:
        if not _is_word(unique):
            raise _no_word("unique", unique)
        if unique.startswith(_OWN_KEYS):
            _check_own_key(kind, unique)
    if trace_id != "" and not _is_word(trace_id):
        raise _no_word("trace_id", trace_id)
    if priority.__class__ is not Priority:
        priority = _priority(priority)
    if not _is_within(keep_s, 0, KEEP_S_MAX):
        raise BadRequest(
            f"expected keep_s as a number of seconds from 0 to {KEEP_S_MAX:.0f} (90 days), got {_shown(keep_s)}",
            reason="bad_keep_s",
        )
    return Draft(
        kind=kind,
        payload=_payload(kind, payload, payload_bytes_max),
        lane=lane,
        priority=priority,
        run_at=None if run_at is None else _seconds(run_at),
        unique=unique,
        keep_s=keep_s,
        trace_id=trace_id,
    )


def checked(asked: Draft, *, payload_bytes_max: int) -> Draft:
    """Return the draft as the ledger takes it, or raise as :func:`draft` does."""
    return draft(
        asked.kind,
        asked.payload,
        payload_bytes_max=payload_bytes_max,
        lane=asked.lane,
        run_at=asked.run_at,
        unique=asked.unique,
        priority=asked.priority,
        keep_s=asked.keep_s,
        trace_id=asked.trace_id,
    )


def due_at(
    run_at: datetime | float | None, delay_s: float | None, now: Callable[[], float]
) -> datetime | float | None:
    """Return when a job that is asked for with either of both is due.

    :raises BadRequest: it is asked for with both, or after what is no time.
    """
    if delay_s is None:
        return run_at
    if run_at is not None:
        raise BadRequest("expected run_at or delay_s, got both", reason="bad_run_at")
    if not _is_within(delay_s, 0, DELAY_S_MAX):
        raise BadRequest(
            f"expected delay_s as a number of seconds from 0 to {DELAY_S_MAX:.0f} (100 years), got {_shown(delay_s)}",
            reason="bad_delay_s",
        )
    return now() + delay_s


def _is_kind(kind: object) -> bool:
    return isinstance(kind, str) and _is_kind_word(kind)


@lru_cache(maxsize=1_024)
def _is_kind_word(kind: str) -> bool:
    return _KIND.fullmatch(kind) is not None


def _is_within(value: object, least: float, most: float) -> bool:
    # A number too large for a float can be compared, and not be asked whether it is finite.
    return isinstance(value, (int, float)) and least <= value <= most


def _is_word(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= WORD_CHARS_MAX and clean(text) is text


def _check_own_key(kind: str, unique: str) -> None:
    # Under it another's job would pass for the platform's own, which is not written then: a reply would not be sent.
    [(prefix, owner)] = [(prefix, owner) for prefix, owner in OWN_KEYS.items() if unique.startswith(prefix)]
    if kind != owner:
        raise BadRequest(
            f"expected a unique key that does not begin with {prefix!r}: those are jobs' of kind {owner}",
            reason="own_key",
        )


def _no_word(name: str, text: object) -> BadRequest:
    # Not the text itself: a lane or a key may name a person.
    got = f"{len(text)} characters" if isinstance(text, str) else f"a value of type {type(text).__name__}"
    return BadRequest(
        f"expected {name} as a text of 1 to {WORD_CHARS_MAX} characters without NUL and lone surrogates, got {got}",
        reason=f"bad_{name}",
    )


def _priority(priority: int) -> Priority:
    try:
        return Priority(priority)
    except ValueError:
        raise BadRequest(
            f"expected a priority of {', '.join(f'{one.value} ({one.name.lower()})' for one in Priority)}, "
            f"got {priority!r}",
            reason="bad_priority",
        ) from None


def _seconds(run_at: datetime | float) -> float:
    if isinstance(run_at, datetime):
        if run_at.tzinfo is None:
            raise BadRequest(
                "expected run_at with a time zone, got a time without: add one, such as Z or +01:00 (in Python "
                "tzinfo=UTC)",
                reason="bad_run_at",
            )
        run_at = run_at.timestamp()
    if run_at == -math.inf or not _is_within(run_at, -math.inf, _RUN_AT_MAX):
        raise BadRequest(
            "expected run_at as a datetime with a time zone, or as Unix seconds before the year 10000, "
            f"got {_shown(run_at)}",
            reason="bad_run_at",
        )
    # What is long past is due: PostgreSQL's calendar need not know when it was.
    return float(max(0.0, run_at))


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except ValueError:
        return "a number of too many digits"


def _payload(kind: str, payload: Any, bytes_max: int) -> msgspec.Raw:
    try:
        encoded = _encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise BadRequest(
            f"expected a payload that can be written as JSON, got for kind {kind!r}: {type(error).__name__}",
            reason="bad_payload",
        ) from None
    # A float that is no number is written as null: the handler would meet a None that nobody has put there.
    if b"null" in encoded and _has_no_number(payload):
        raise BadRequest(
            f"expected a payload of finite numbers, got NaN or an infinity for kind {kind!r}: JSON has none, write "
            "null or a text where one is meant",
            reason="bad_payload",
        )
    if len(encoded) > bytes_max:
        raise TooLarge(
            f"expected a payload of at most {bytes_max} bytes (jobs.payload_bytes_max), got {len(encoded)} "
            f"for kind {kind!r}",
            reason="payload_too_large",
        )
    return msgspec.Raw(encoded)


def _has_no_number(payload: Any) -> bool:
    """Return whether there is a NaN or an infinity in what has been encoded, and so does not contain itself."""
    # Raw JSON within it is the one thing that is written and has no builtin form; it has no such number either.
    waiting = [msgspec.to_builtins(payload, str_keys=False, enc_hook=lambda _: None)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, float):
            if not math.isfinite(value):
                return True
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
    return False
