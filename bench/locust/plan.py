"""When who speaks: a fixed rate of messages over all conversations, and time to think within each.  Pure."""

from __future__ import annotations

__all__ = ["THINKING_SPREAD", "instant_s", "period_s"]

#: Everybody speaks somewhere in this share of a period, around a place of their own, so pauses are drawn from half to
#: one and a half of the mean: people are no clocks.
THINKING_SPREAD = 0.5


def period_s(users: int, rate: float) -> float:
    """Return the mean pause of each of *users*, who say *rate* messages a second together."""
    return users / rate


def instant_s(number: int, user: int, *, users: int, rate: float, draw: float) -> float:
    """Return when *user* (from 0) says its message *number*, in seconds from the beginning.

    In every period everybody speaks once, at a place of their own and somewhat beside it by *draw* from [0, 1): so
    many messages leave in a period, and none of them waits for an answer to another.  What falls before the beginning
    is left out, of some number 0, and of others number -1 does not: so the rate is right from the first second on.
    """
    place = user / users + THINKING_SPREAD * (draw - 0.5)
    return period_s(users, rate) * (number + place)
