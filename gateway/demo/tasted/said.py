"""What an answer says, before it takes the form that the cook's platform can show."""

from __future__ import annotations

import msgspec

from gateway.demo.tasted.session import Session
from gateway.demo.tasted.tastes import Tastes
from gateway.demo.wire import Card, List, Timer

__all__ = ["Said"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in substance.

    ``spoken``: what a voice adds to ``text``, where the rest is only to be seen.  ``session`` and ``tastes`` are as
    they stand after it.  ``timers``: those that it sets or stops.
    """

    text: str
    session: Session
    tastes: Tastes
    shown: tuple[Card | List, ...] = ()
    spoken: str = ""
    next: tuple[str, ...] = ()
    end: bool = False
    timers: tuple[Timer, ...] = ()
