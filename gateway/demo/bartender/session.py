"""What is remembered of one conversation: the ``state`` that travels out with a reply and back in with the next turn.

Bounded field by field, so that it stays under :data:`STATE_BYTES_MAX` whatever is said.  A state that does not fit (an
older version's, somebody's experiment) is a fresh conversation: forgetting a list of drinks is better than failing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.demo.bartender.catalogue.drink import Drink

__all__ = ["INVENTED", "STATE_BYTES_MAX", "Session", "bounded", "restored"]

STATE_BYTES_MAX = 4_096
NAMES_MAX = 20
RESULTS_MAX = 6
#: The same where they are heard: nobody remembers more.
HEARD_MAX = 3
SEEN_MAX = 30

#: The slug of the drink that was made up in this conversation.
INVENTED = "invented"

Name = Annotated[str, Meta(max_length=40)]
Names = Annotated[tuple[Name, ...], Meta(max_length=NAMES_MAX)]


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation so far.

    ``have``: what stands on the guest's shelf.  ``containing``: what the drink must have in it.  ``results``: the last
    list, for "the second one".  ``current``: the drink in hand.  ``seen``: shown already, for "another one".
    ``because``: how the drink in hand was chosen, for "why?".
    """

    have: Names = ()
    containing: Names = ()
    tags: Names = ()
    #: Ingredients and tastes that are not wanted this evening.
    without: Names = ()
    alcohol_free: bool = False
    results: Annotated[tuple[Name, ...], Meta(max_length=RESULTS_MAX)] = ()
    current: Name = ""
    seen: Annotated[tuple[Name, ...], Meta(max_length=SEEN_MAX)] = ()
    glasses: Annotated[int, Meta(ge=1, le=100)] = 1
    because: Annotated[str, Meta(max_length=80)] = ""
    invented: Drink | None = None


def restored(state: dict[str, Any] | None) -> Session:
    """Return the conversation that *state* stands for; a new one where it cannot be read."""
    if not state:
        return Session()
    try:
        return msgspec.convert(state, Session)
    except msgspec.ValidationError:
        return Session()


def bounded(names: Iterable[str], count_max: int = NAMES_MAX) -> tuple[str, ...]:
    """Return the last *count_max* of *names*, each once: what was said last matters most."""
    latest = dict.fromkeys(reversed(list(names)))
    return tuple(reversed(list(latest)[:count_max]))
