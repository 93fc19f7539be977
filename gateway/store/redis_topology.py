"""Which server has what, where Redis is several: learnt by asking, and asked again when something says otherwise.

A **view** is what one server says; of several answers the best counts (whoever sees a working whole, then the newest
epoch), so one that was cut off or forgotten by the others does not lead anybody astray.  Sentinels are the same thing
with one master for everything.

Rules:

- One look at a time, by a greenlet of its own, and none sooner than ``pause_s`` after the last: a crowd of callers
  whose server died asks once, and none of them waits for it.  Only who comes before the first view waits, for as long
  as one look may last.
- A look asks a few servers at once and is bounded by ``patience_s`` as a whole, names' resolution included.
- Views are renewed every ``renew_s`` too: a connection to a server that everybody else has left is told by nothing
  else.
- A server that failed is not tried again for ``rest_s``: who needs it fails at once.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import gevent
import redis
from gevent import Greenlet

__all__ = ["Address", "Pace", "Topology", "View"]

#: Servers asked at once: of those known, and of those that the settings name.
_ASKED_MAX = 3


class Address(NamedTuple):
    """Where a server is."""

    host: str
    port: int


class Pace(NamedTuple):
    """How often is asked; all in seconds."""

    #: Between two looks.
    pause_s: float = 1.0
    #: After which a view is renewed, whatever happens.
    renew_s: float = 10.0
    #: For which a server that failed is not tried.
    rest_s: float = 1.0
    #: For which it is not chosen where others would do as well.
    avoided_s: float = 30.0


class View(NamedTuple):
    """What one server says of all."""

    #: How good its word is: whether it sees a working whole, then the epoch that it knows of.
    rank: tuple[bool, int]
    #: By their first slot: the last slot, and the master of both and of all between.
    ranges: list[tuple[int, int, Address]]


class Topology:
    """The masters, as far as this process knows."""

    def __init__(
        self,
        seeds: Sequence[Address],
        *,
        look: Callable[[Address], View],
        on_masters: Callable[[frozenset[Address]], None],
        asks_masters: bool,
        patience_s: float,
        pace: Pace = Pace(),  # noqa: B008  # a value
    ) -> None:
        """*look* asks one server; *asks_masters*: they know of each other."""
        self._seeds = seeds
        self._look = look
        self._on_masters = on_masters
        self._asks_masters = asks_masters
        self._patience_s = patience_s
        self._pace = pace
        self._ranges: list[tuple[int, int, Address]] = []
        self._firsts: list[int] = []
        #: Slots that have moved since: what a server said in answer to a command.
        self._moved: dict[int, Address] = {}
        self._failed_at: dict[Address, float] = {}
        self._looking: Greenlet[[], None] | None = None
        #: Whether that look has begun, or waits until it is due.
        self._under_way = False
        self._looked_at = self._renewed_at = float("-inf")
        #: Why somebody did not say anything, last.
        self._problem: Exception | None = None
        self.masters: frozenset[Address] = frozenset()

    def __repr__(self) -> str:
        return f"<Topology of {len(self.masters)} masters>"

    def owner(self, slot: int) -> Address:
        """Return the master of *slot*.

        :raises redis.ConnectionError: there is none, or nobody says.
        """
        self._ready()
        if slot in self._moved:
            return self._moved[slot]
        place = bisect_right(self._firsts, slot) - 1
        if place < 0 or slot > self._ranges[place][1]:
            self.doubt()
            raise redis.ConnectionError("Redis: no master has this slot")
        return self._ranges[place][2]

    def all(self) -> frozenset[Address]:
        """Return the masters, of which there is at least one.

        :raises redis.ConnectionError: nobody says.
        """
        self._ready()
        return self.masters

    def any(self, favourite: Address | None = None) -> Address:
        """Return *favourite* while it is a master that works, else another one, and not soon one that has failed.

        :raises redis.ConnectionError: nobody says.
        """
        self._ready()
        working = [master for master in self.masters if master not in self._failed_at]
        if favourite in working:
            return favourite
        if working:
            return random.choice(working)  # noqa: S311  # no secret is drawn
        return min(self.masters, key=lambda master: self._failed_at[master])

    def rests(self, address: Address) -> bool:
        """Return whether it failed just now."""
        return self._failed_at.get(address, float("-inf")) + self._pace.rest_s > time.monotonic()

    def failed(self, address: Address) -> None:
        """Leave *address* alone for a moment, and ask who stands in for it."""
        self._failed_at[address] = time.monotonic()
        self.doubt()

    def moved(self, slot: int, address: Address) -> None:
        """Believe a server that has said where *slot* is now."""
        self._moved[slot] = address
        self.doubt()

    def doubt(self) -> None:
        """Look again, as soon as that is due."""
        if self._looking is None:
            wait_s = self._looked_at + self._pace.pause_s - time.monotonic()
            self._under_way = wait_s <= 0
            self._looking = gevent.spawn_later(max(0.0, wait_s), self._renew)

    def renew(self) -> None:
        """Look again if the view is old."""
        if time.monotonic() >= self._renewed_at + self._pace.renew_s:
            self.doubt()

    def close(self) -> None:
        """Look no more.  Safe twice."""
        # One that has begun ends by itself, soon: redis-py leaves a socket open where its greenlet is killed while it
        # connects.
        if self._looking is not None and not self._under_way:
            self._looking.kill(block=False)

    def _ready(self) -> None:
        self.renew()
        if not self.masters:
            if self._looking is not None and self._under_way:
                # A look ends by itself; this is only for a machine that is too busy for it.
                self._looking.join(2 * self._patience_s)
            if not self.masters:
                raise redis.ConnectionError("Redis: nobody says which servers there are") from self._problem

    def _renew(self) -> None:
        self._under_way = True
        try:
            views = self._ask()
            if views:
                self._take(max(views, key=lambda view: view.rank))
        finally:
            self._looked_at = time.monotonic()
            self._looking = None

    def _ask(self) -> list[View]:
        known = list(self.masters) if self._asks_masters else []
        asked = {*_some(known), *_some(self._seeds)}
        looks = [gevent.spawn(self._answer, address) for address in asked]
        try:
            gevent.joinall(looks, timeout=self._patience_s)
        finally:
            gevent.killall(looks)
        return [look.value for look in looks if isinstance(look.value, View)]

    def _answer(self, address: Address) -> View | None:
        try:
            view = self._look(address)
        except (redis.RedisError, OSError) as error:
            self._problem = error
            return None
        return view if view.ranges else None

    def _take(self, view: View) -> None:
        self._ranges = sorted(view.ranges)
        self._firsts = [first for first, _, _ in self._ranges]
        self._moved = {}
        self._renewed_at = time.monotonic()
        self.masters = frozenset(master for _, _, master in self._ranges)
        self._failed_at = {
            address: failed_at
            for address, failed_at in self._failed_at.items()
            if address in self.masters and failed_at + self._pace.avoided_s > self._renewed_at
        }
        self._on_masters(self.masters)


def _some(addresses: Sequence[Address]) -> list[Address]:
    return random.sample(addresses, min(_ASKED_MAX, len(addresses)))
