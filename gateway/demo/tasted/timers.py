"""Timers: what is asked of the gateway, and what is known of those that run.  Pure: the time of day is an argument.

A timer is a message that a reply asks to come later by itself.  The gateway writes it down in the commit that settles
the reply: so it comes once, whoever dies meanwhile, and neither a token nor a clock of ours is needed.  What is kept
here, in the conversation's state, is only its name and when it is due, for "how long still?".
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.demo.language.text import singular
from gateway.demo.tasted.hearing.spans import span_text
from gateway.demo.tasted.session import Running, Session
from gateway.demo.wire import Suggestions, Text, Timer

__all__ = ["TIMER_S_MAX", "by_length", "called", "left_text", "set_timer", "spoken", "stop_timers", "title"]

#: A day: what takes longer is no timer but an appointment.
TIMER_S_MAX = 86_400


def set_timer(session: Session, name: str, seconds: int, now_s: float, *, then: str = "") -> tuple[Session, Timer]:
    """Return *session* with a timer of *name* running from *now_s*, and what is to be asked of the gateway.

    One of the same name is set anew: there and here it takes the old one's place.  *then*: what is to be done next.
    """
    others = tuple(one for one in session.timers if one.name != name)
    span = "" if name == by_length(seconds) else f" ({span_text(seconds)})"
    rung = f"⏰ {title(name)}: time is up{span}."
    parts = (Text(f"{rung} {then}".strip()), Suggestions(("Where was I?", "5 more minutes")))
    running = replace(session, timers=(*others, Running(name, now_s + seconds)))
    return running, Timer(name, float(seconds), parts)


def stop_timers(session: Session, stopped: Sequence[Running]) -> tuple[Session, tuple[Timer, ...]]:
    """Return *session* without the timers *stopped*, and what is to be asked of the gateway."""
    left = tuple(one for one in session.timers if one not in stopped)
    return replace(session, timers=left), tuple(Timer(one.name) for one in stopped)


def called(session: Session, name: str) -> list[Running]:
    """Return the running timers that *name* may mean: of that name, or with one of its words; all where it is empty."""
    if not name:
        return list(session.timers)
    words = _words(name)
    same = [one for one in session.timers if _words(one.name) == words]
    return same or [one for one in session.timers if words & _words(one.name)]


def left_text(running: Running, now_s: float) -> str:
    """Return how long *running* still runs."""
    return f"{title(running.name)}: {span_text(max(1.0, running.due_s - now_s))} left"


def title(name: str) -> str:
    """Return what a timer is called when it is spoken of: "Pasta timer", and a reminder by its own words."""
    return f"{name[:1].upper()}{name[1:]}" if _reminds(name) else f"{name.capitalize()} timer"


def spoken(name: str) -> str:
    """Return the same within a sentence: "the pasta timer"."""
    return f"“{name}”" if _reminds(name) else f"the {name} timer"


def by_length(seconds: int) -> str:
    """Return what a timer without a name is called: "10 minute"."""
    return " ".join(word.removesuffix("s") for word in span_text(seconds).split())


def _reminds(name: str) -> bool:
    return len(name.split()) > 2 and not name[0].isdigit()


def _words(name: str) -> frozenset[str]:
    return frozenset(map(singular, name.split()))
