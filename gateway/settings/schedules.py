"""Schedules: jobs that are asked for at set times.  When exactly that is, ``domain/cron.py`` says.

The platform has some of its own (:data:`PLATFORM_SCHEDULES`), which nobody needs to configure.  A table of the same
name changes what it names of one, and ``on = false`` switches it off:

    [schedules.retention]
    cron = "0 2 * * SUN"
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from gateway.domain.cron import check_cron
from gateway.domain.text import clean
from gateway.settings.problems import Problems, did_you_mean, shown

__all__ = ["PLATFORM_SCHEDULES", "ScheduleSettings", "note_schedule_problems", "time_zone"]

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_LANE_CHARS_MAX = 256


class ScheduleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[schedules.<name>]``"""

    #: When: the five fields of a crontab, minute, hour, day of month, month, day of week; no ``@daily`` or the like.
    cron: str
    #: Where clocks show that time: a name of the IANA database, such as Europe/Berlin.
    timezone: str = "UTC"
    #: Kind of the job that is asked for at each tick.
    kind: str
    #: What the job is given.
    payload: dict[str, Any] = {}
    #: Lane of the job; empty: one of this schedule's own, so that a tick's job waits for the last one's.
    lane: str = ""
    #: How its jobs go with others: high and low get 16 and 1 of 21 turns where all of them wait.
    priority: Literal["high", "normal", "low"] = "normal"
    #: Ask for no job while that of an earlier tick is not done.
    skip_unfinished: bool = False
    #: Off, it never ticks; what is missed meanwhile is not made up for.
    on: bool = True


#: Times at which nobody else's schedules are likely to tick.
PLATFORM_SCHEDULES: Mapping[str, ScheduleSettings] = MappingProxyType({
    name: ScheduleSettings(cron=cron, kind=kind, priority="low", skip_unfinished=True)
    for name, cron, kind in (
        # What is kept for how long is in [retention].
        ("retention", "23 3 * * *", "retention"),
        ("sweep_dedupe_keys", "7 * * * *", "sweep.dedupe_keys"),
        ("sweep_job_results", "*/5 * * * *", "sweep.job_results"),
        ("sweep_processes", "37 4 * * *", "sweep.processes"),
    )
})  # fmt: skip


def note_schedule_problems(name: str, settings: ScheduleSettings, problems: Problems) -> None:
    """Note what is wrong with ``[schedules.<name>]``."""
    where = f"schedules.{name}"
    _note_time_problems(where, settings.cron, settings.timezone, problems)
    if not _KIND.fullmatch(settings.kind):
        problems.add(
            f"{where}.kind", f"expected lower-case letters, digits and _ . -, at most 64, got {shown(settings.kind)}"
        )
    if len(settings.lane) > _LANE_CHARS_MAX or clean(settings.lane) != settings.lane:
        problems.add(f"{where}.lane", f"expected at most {_LANE_CHARS_MAX} characters that PostgreSQL can keep")
    try:
        # A date of the file is none that a job could be given as it is.
        msgspec.json.encode(settings.payload)
    except (TypeError, ValueError):
        problems.add(f"{where}.payload", "expected what can be written as JSON")


def _note_time_problems(where: str, cron: str, zone: str, problems: Problems) -> None:
    """Note what is wrong with the time that the settings ``cron`` and ``timezone`` of the table *where* tell."""
    try:
        check_cron(cron)
    except ValueError as error:
        problems.add(f"{where}.cron", f'expected a time such as "30 2 * * MON", got {shown(cron)}: {error}')
    try:
        time_zone(zone)
    except ValueError:
        hint = did_you_mean(zone, zoneinfo.available_timezones())
        problems.add(f"{where}.timezone", f'expected a time zone such as "Europe/Berlin", got {shown(zone)}{hint}')


def time_zone(name: str) -> tzinfo:
    """Return the time zone *name*.

    :raises ValueError: there is none of that name.
    """
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        # A folder of the database ("Europe") is an OSError, a path a ValueError.
        raise ValueError(f"no time zone {name!r}") from None

