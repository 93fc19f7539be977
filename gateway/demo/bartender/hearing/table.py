"""The whole table of sayings, in the order in which it is asked."""

from __future__ import annotations

from gateway.demo.bartender.hearing.said_in_passing import IN_PASSING
from gateway.demo.bartender.hearing.said_of_drinks import OF_DRINKS, OF_DRINKS_LATER
from gateway.demo.bartender.hearing.said_of_guest import OF_GUEST

__all__ = ["IN_PASSING", "OF_DRINKS", "OF_DRINKS_LATER", "OF_GUEST", "TABLE"]

TABLE = (*OF_GUEST, *OF_DRINKS, *OF_DRINKS_LATER, *IN_PASSING)
