"""What an answer says, before it takes the form that the guest's platform can show."""

from __future__ import annotations

import msgspec

from gateway.demo.bartender.session import Session
from gateway.demo.bartender.tastes import Tastes
from gateway.demo.wire import Card, List

__all__ = ["Said"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in substance.

    ``spoken``: what a voice adds to ``text``, where the rest is only to be seen.  ``session`` and ``tastes`` are as
    they stand after it.  ``told``: what is muttered while a slow answer is being made; empty for all others.
    """

    text: str
    session: Session
    tastes: Tastes
    shown: tuple[Card | List, ...] = ()
    spoken: str = ""
    next: tuple[str, ...] = ()
    end: bool = False
    told: tuple[str, ...] = ()
