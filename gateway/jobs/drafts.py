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

__all__ = ["KEEP_S_MAX", "WORD_CHARS_MAX", "checked", "draft", "due_at"]

#: Characters of a lane, a unique key or a trace id: keys of an index.
WORD_CHARS_MAX = 256
#: Seconds for which a result is kept at most: 90 days.  What must last longer belongs in a table of its own.
KEEP_S_MAX = 90 * 86_400.0
#: 9999-12-31 as Unix seconds.
_RUN_AT_MAX = 253_402_214_400.0
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")

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
            f"expected a kind of lower-case letters, digits and _ . -, at most 64, got {kind!r}",
            reason="bad_kind",
        )
    if lane is not None and not _is_word(lane):
        raise _no_word("lane", lane)
    if unique is not None and not _is_word(unique):
        raise _no_word("unique", unique)
    if trace_id and not _is_word(trace_id):
        raise _no_word("trace_id", trace_id)
    if priority.__class__ is not Priority:
        priority = _priority(priority)
    if not 0 <= keep_s <= KEEP_S_MAX:
        raise BadRequest(f"expected keep_s from 0 to {KEEP_S_MAX:g}, got {keep_s!r}", reason="bad_keep_s")
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

    :raises BadRequest: it is asked for with both.
    """
    if delay_s is None:
        return run_at
    if run_at is not None:
        raise BadRequest("expected run_at or delay_s, got both", reason="bad_run_at")
    return now() + delay_s


@lru_cache(maxsize=1_024)
def _is_kind(kind: str) -> bool:
    return _KIND.fullmatch(kind) is not None


def _is_word(text: str) -> bool:
    return 0 < len(text) <= WORD_CHARS_MAX and clean(text) is text


def _no_word(name: str, text: str) -> BadRequest:
    # Not the text itself: a lane or a key may name a person.
    return BadRequest(
        f"expected a {name} of 1 to {WORD_CHARS_MAX} characters without NUL and lone surrogates, "
        f"got {len(text)} characters",
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
            raise BadRequest("expected run_at with a time zone, got a time without", reason="bad_run_at")
        run_at = run_at.timestamp()
    if not (math.isfinite(run_at) and run_at <= _RUN_AT_MAX):
        raise BadRequest(
            f"expected run_at in Unix seconds before the year 10000, got {run_at!r}", reason="bad_run_at"
        )
    # What is long past is due: PostgreSQL's calendar need not know when it was.
    return max(0.0, float(run_at))


def _payload(kind: str, payload: Any, bytes_max: int) -> msgspec.Raw:
    try:
        encoded = _encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise BadRequest(
            f"expected a payload that can be written as JSON, got for kind {kind!r}: {type(error).__name__}",
            reason="bad_payload",
        ) from None
    if len(encoded) > bytes_max:
        raise TooLarge(
            f"expected a payload of at most {bytes_max} bytes (jobs.payload_bytes_max), got {len(encoded)} "
            f"for kind {kind!r}",
            reason="payload_too_large",
        )
    return msgspec.Raw(encoded)
