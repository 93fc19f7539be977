"""Whether a call that ended badly is tried again, and when: one decision, made of what is known of its end.

Rules:

1. What was never sent may be sent again by any method: at once at another member of the service where there is
   one, else after a pause.
2. What we ourselves refused before a byte was written (a full gate) is tried only at another member, at once:
   pausing and asking the same one again would be a storm of our own making.
3. A 429 or 503 that says when to come back was not acted on, and may be repeated by any method: never sooner
   than it says.  One that does not say is an answer like others.
4. Whatever else may have reached the other side is repeated only if the call is idempotent: an answer that
   never came or broke off, and 500, 502, 503, 504.  Any other answer stands.
5. The pause is drawn from none to a bound that doubles with each attempt (full jitter).  No retry begins at or
   after the call's deadline.

Pure: the draw and the Unix time are arguments.  Deliberately absent: the budget, which may still say no (see
``budget.py``); and calls that cannot be repeated with another result, which never ask: an invalid call, a killed
one, one whose answer was already handed on in part (its caller passes ``idempotent=False``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from gateway.domain.deadline import retry_delay_s
from gateway.domain.errors import Reached

__all__ = ["Ending", "GiveUp", "Retry", "RetryRules", "decide", "parse_retry_after"]


class RetryRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the defaults of ``RpcSettings``."""

    #: Attempts beyond the first.
    retries_max: int = 2
    #: The first pause at most, doubled for each later one.
    base_s: float = 0.025
    #: Any pause at most, a Retry-After apart.
    max_s: float = 0.25
    #: A Retry-After that is waited for at most.
    retry_after_max_s: float = 5.0


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How one attempt ended."""

    #: What the other side may have seen of it.
    sent: Reached
    #: The status of an answer that came whole; 0 if none did, also where its head had come.
    status: int = 0
    #: What the answer's Retry-After says (``parse_retry_after``).
    retry_after_s: float | None = None
    #: Refused in this process; ``sent`` is ``never``.
    by_us: bool = False


class Retry(msgspec.Struct, frozen=True, gc=False):
    """Try again after ``after_s``; ``reason`` is a short stable word."""

    after_s: float
    reason: str


class GiveUp(msgspec.Struct, frozen=True, gc=False):
    """What came of this attempt is what came of the call."""

    reason: str


def decide(
    ending: Ending,
    attempt: int,
    idempotent: bool,
    left_s: float,
    draw: float,
    rules: RetryRules,
    others_left: bool,
) -> Retry | GiveUp:
    """Return what follows attempt number *attempt*, counted from 1, with *left_s* to the call's deadline.

    *draw* is from [0, 1).  *others_left* says whether a member is left that this call has not tried.
    """
    verdict = _allowed(ending, idempotent, others_left, rules)
    if isinstance(verdict, GiveUp):
        return verdict
    if attempt > rules.retries_max:
        return GiveUp("retries_max")
    after_s = verdict.after_s
    if not (ending.sent == "never" and others_left):
        # On top of a Retry-After as well: all who were told the same second must not come in the same one.
        after_s += retry_delay_s(attempt, base_s=rules.base_s, max_s=rules.max_s, jitter=draw)
    if after_s >= left_s:
        return GiveUp("deadline")
    return Retry(after_s, verdict.reason)


def _allowed(ending: Ending, idempotent: bool, others_left: bool, rules: RetryRules) -> Retry | GiveUp:
    """Return whether the ending itself allows another attempt, and the wait that the other side asked for."""
    if ending.sent == "never":
        if not ending.by_us:
            return Retry(0.0, "never_sent")
        return Retry(0.0, "refused_here") if others_left else GiveUp("no_other_member")
    if ending.sent == "maybe" or not ending.status:
        return Retry(0.0, "no_answer") if idempotent else GiveUp("not_idempotent")
    if ending.status in _PUSHBACK and ending.retry_after_s is not None:
        if ending.retry_after_s > rules.retry_after_max_s:
            return GiveUp("pushback_too_long")
        return Retry(ending.retry_after_s, "pushback")
    if ending.status in _PASSING:
        return Retry(0.0, "status") if idempotent else GiveUp("not_idempotent")
    return GiveUp("answered")


def parse_retry_after(value: str, unix_now: float) -> float | None:
    """Return the seconds that a Retry-After asks for (RFC 9110, section 10.2.3), or None if it is neither a number
    nor a date.

    A date that has passed and a negative number mean now.  A fraction is not in the RFC, and servers send it.
    """
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        at = _parse_date(text, unix_now)
        if at is None:
            return None
        seconds = at - unix_now
    if seconds <= 0:
        return 0.0
    return min(seconds, _SECONDS_MAX)


#: Statuses that refuse a request for now (RFC 9110, section 15.6.4; RFC 6585, section 4).
_PUSHBACK = frozenset({429, 503})
#: Statuses of a failure that another attempt may not meet.
_PASSING = frozenset({500, 502, 503, 504})

#: What stands for a number of any length (RFC 9111, section 1.2.2), so that no infinity leaves here.
_SECONDS_MAX = 2.0**31
_SECONDS = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
#: The three forms that a recipient must read (RFC 9110, section 5.6.7).  Python's own readers depend on the
#: locale or take far more than these for a date.
_DATES = [
    re.compile(form)
    for form in (
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
]


def _parse_date(text: str, unix_now: float) -> float | None:
    """Return the Unix time of an HTTP-date, or None."""
    for form in _DATES:
        found = form.fullmatch(text)
        if found:
            break
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        # The latest year with these digits that is not more than 50 years ahead: the RFC's rule, in whole years.
        horizon = datetime.fromtimestamp(unix_now, UTC).year + 50
        year = horizon - (horizon - year) % 100
    # The grammar knows leap seconds, the calendar here does not.
    second = min(int(found["second"]), 59)
    try:
        day, hour, minute = int(found["day"]), int(found["hour"]), int(found["minute"])
        at = datetime(year, _MONTHS[found["month"]], day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return at.timestamp()
