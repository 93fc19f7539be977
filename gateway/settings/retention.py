"""Retention: how long what was said, and what became of it, is kept.  0 keeps it for good.

What is too old is deleted by a job of the schedule ``retention`` (``settings/schedules.py``).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.settings.problems import Problems

__all__ = ["TURNS_DAYS_MIN", "RetentionSettings", "note_retention_problems"]

#: Days; 0: for good.
_Kept = Annotated[float, Meta(ge=0, le=36_500)]
#: Longer than any channel remembers what has been said already (``Capabilities.dedupe_days``): a repeat must find the
#: turn that it repeats.
TURNS_DAYS_MIN = 8.0


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[retention]``"""

    #: Days for which turns are kept, by the age of their messages: what users said and assistants answered.  A
    #: conversation goes with its last turn.  0: for good; else at least 8.
    turns_days: _Kept = 0.0
    #: Days for which users are kept of whom there is no turn any more, with what assistants remember of them.
    #: 0: for good.
    users_days: _Kept = 0.0
    #: Days for which it is kept what was sent to platforms and what became of it.  0: for good.
    outbox_days: _Kept = 30.0
    #: Days for which dead letters are kept, those that nobody has looked at too.  0: for good.
    dead_letters_days: _Kept = 90.0
    #: Days for which jobs are kept that were given up.  0: for good.
    buried_jobs_days: _Kept = 90.0


def note_retention_problems(settings: RetentionSettings, problems: Problems) -> None:
    """Note what is wrong with ``[retention]``."""
    if 0 < settings.turns_days < TURNS_DAYS_MIN:
        problems.add(
            "retention.turns_days",
            f"expected 0 or at least {TURNS_DAYS_MIN:g}, got {settings.turns_days:g}: "
            "a platform may repeat a message for a week",
        )
