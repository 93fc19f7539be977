"""Cron: when a schedule's next tick is.  Pure; the time zone is an argument.

Five fields (minute, hour, day of month, month, day of week), as Debian's cron reads them, with ``L`` (the last),
``LW`` and ``MON#2`` besides.  When clocks are changed:

- A schedule with a fixed minute and hour ticks once a day that it names.  A time that is skipped ticks at the first
  moment after the gap; one that comes twice ticks the first time.
- A schedule whose minute or hour begins with ``*`` goes by real time: every half hour stays every half hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

__all__ = ["CRON_CHARS_MAX", "check_cron", "next_tick"]

CRON_CHARS_MAX = 200
#: Fields of an expression; the library would take seconds as a sixth.
_FIELDS = 5
#: What each may hold, by the library's words for them; every one may be a list, a range or a step of these.
_VALUES = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L or LW, and one that the month has",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7, or SUN to SAT",
}
#: Any day will do: the library looks fifty years ahead.
_SOME_DAY = datetime(2024, 3, 1, tzinfo=UTC)


def check_cron(text: str) -> None:
    """Return if *text* can tell a next tick.

    :raises ValueError: it cannot; the message says why.
    """
    if len(text) > CRON_CHARS_MAX:
        raise ValueError(f"more than {CRON_CHARS_MAX} characters")
    if len(text.split()) != _FIELDS:
        raise ValueError("not five fields: minute, hour, day of month, month, day of week (and no @daily or the like)")
    try:
        next(CronSim(text, _SOME_DAY))
    except CronSimError as error:
        # "Bad hour"
        said = str(error).lower()
        field = said.removeprefix("bad ")
        raise ValueError(f"{said}: expected {_VALUES[field]}" if field in _VALUES else said) from None
    except StopIteration:
        raise ValueError("it never ticks") from None


def next_tick(text: str, zone: tzinfo, after_s: float) -> float:
    """Return the first tick (Unix seconds) behind *after_s*, of an expression that was checked."""
    ticks = CronSim(text, datetime.fromtimestamp(after_s, zone))
    while True:
        tick = next(ticks).timestamp()
        # Asked within the second of two equal hours, the library answers with a time of the first.
        if tick > after_s:
            return tick
