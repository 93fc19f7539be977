"""What is remembered of one conversation: the ``state`` that travels out with a reply and back in with the next turn.

The gateway keeps it for as long as the conversation, so a dish that is half cooked tonight is half cooked tomorrow.
Bounded field by field, so that it stays under :data:`STATE_BYTES_MAX` whatever is said.  A state that does not fit is a
fresh conversation: forgetting a list is better than failing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = ["STATE_BYTES_MAX", "TIMERS_MAX", "Running", "Session", "bounded", "restored"]

STATE_BYTES_MAX = 6_144
NAMES_MAX = 20
RESULTS_MAX = 6
#: The same where they are heard: nobody remembers more.
HEARD_MAX = 3
SEEN_MAX = 30
#: Timers of one conversation that run at a time.
TIMERS_MAX = 8

Name = Annotated[str, Meta(max_length=60)]
Names = Annotated[tuple[Name, ...], Meta(max_length=NAMES_MAX)]
Serves = Annotated[int, Meta(ge=0, le=100)]


class Running(msgspec.Struct, frozen=True):
    """A timer that was asked for: what it is called, and when it is due, in Unix seconds."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    due_s: Annotated[float, Meta(ge=0, le=1e11)]


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation so far.

    ``have``: what is at hand.  ``containing``: what must be in the dish.  ``results``: the last list, for "the second
    one".  ``current``: the recipe at hand.  ``cooking``: the one on the stove, at ``step`` (from 1).  ``serves``: for
    how many, 0 as the recipe says.  ``just_done``: the last answer
    was that a dish is done.
    """

    have: Names = ()
    containing: Names = ()
    tags: Names = ()
    diets: Names = ()
    without: Names = ()
    minutes: Annotated[int, Meta(ge=0, le=10_000)] = 0
    results: Annotated[tuple[Name, ...], Meta(max_length=RESULTS_MAX)] = ()
    seen: Annotated[tuple[Name, ...], Meta(max_length=SEEN_MAX)] = ()
    current: Name = ""
    serves: Serves = 0
    cooking: Name = ""
    step: Annotated[int, Meta(ge=0, le=100)] = 0
    cooking_serves: Serves = 0
    timers: Annotated[tuple[Running, ...], Meta(max_length=TIMERS_MAX)] = ()
    just_done: bool = False


def restored(state: dict[str, Any] | None, now_s: float) -> Session:
    """Return the conversation that *state* stands for, without the timers that have rung by *now_s*."""
    if not state:
        return Session()
    try:
        session = msgspec.convert(state, Session)
    except msgspec.ValidationError:
        return Session()
    return msgspec.structs.replace(session, timers=tuple(one for one in session.timers if one.due_s > now_s))


def bounded(names: Iterable[str], count_max: int = NAMES_MAX) -> tuple[str, ...]:
    """Return the last *count_max* of *names*, each once: what was said last matters most."""
    latest = dict.fromkeys(reversed(list(names)))
    return tuple(reversed(list(latest)[:count_max]))
