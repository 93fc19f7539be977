"""From a host's name to its addresses: a cache that is refreshed beside the calls.

Rules:

1. Only the first look-up of a name is waited for, by each waiter within its own bound; all wait for one.  It is
   nobody's: a waiter that is killed leaves it to the others.
2. Known addresses are given out at once.  A use after ``refresh_s`` starts a look-up in a greenlet of its own; nothing
   runs while nobody calls.
3. While looking up again fails or hangs, what is known is used for ``keep_s``: a name server's outage is nobody
   else's.  ``dns.stale`` tells.
4. That there are none is remembered for ``FAILURE_KEPT_S``.
5. gevent looks up in ten threads for the whole process, and one that hangs is lost for as long as the system tries.  So
   at most ``LOOKUPS_MAX`` run at once, ``REFRESHES_MAX`` of them refreshes, for which nobody waits; one a name.
6. An address is *current* until it has been missing in answers for ``GONE_AFTER_S``.

Time to live is deliberately absent: the system does not tell it.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable

import gevent
import gevent.socket
import msgspec
from gevent.lock import BoundedSemaphore

from gateway import telemetry
from gateway.rpc.clock import Clock
from gateway.rpc.errors import ConnectFailed
from gateway.rpc.watched import SocketAddress

__all__ = ["Addresses", "IpAddress", "LookUp", "Resolver", "ask_system"]

#: Look-ups at once: the rest of gevent's ten threads is for Redis, PostgreSQL and whoever else looks up.
LOOKUPS_MAX = 6
#: Refreshes at once: a name server that hangs for all known names leaves the other places to new ones.
REFRESHES_MAX = 2
#: Names that are remembered; the one used longest ago is forgotten for a new one.
NAMES_MAX = 4_096
#: Seconds that a failure is remembered, where nothing is known: a storm of calls is not one of look-ups.
FAILURE_KEPT_S = 1.0
#: Seconds after the last answer with an address in it.  Large services name a few of their many addresses in turn, and
#: connections must not be cut for that.
GONE_AFTER_S = 30.0


class IpAddress(msgspec.Struct, frozen=True):
    """An address without a port."""

    family: int
    text: str
    #: The interface, for link-local IPv6.
    scope_id: int = 0

    def at(self, port: int) -> SocketAddress:
        """Return what to connect to."""
        if self.family == socket.AF_INET6:
            return (self.text, port, 0, self.scope_id)
        return (self.text, port)


class Addresses(msgspec.Struct, frozen=True):
    """What a name stands for.  A later answer is another value."""

    #: Of the last answer, for new connections; the families take turns (RFC 8305, section 4).
    latest: tuple[IpAddress, ...]
    #: Those that connections may still lead to.
    current: frozenset[str]


#: Takes a host's name, may wait, and returns its addresses in order of preference or raises OSError or UnicodeError.
LookUp = Callable[[str], Iterable[IpAddress]]


def ask_system(host: str) -> Iterable[IpAddress]:
    """Look *host* up as the system does, in gevent's threads."""
    for family, _, _, _, address in gevent.socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM):
        scope_id = address[3] if len(address) == 4 else 0
        yield IpAddress(int(family), str(address[0]), scope_id)


class _Name:
    """What is known of one name."""

    __slots__ = ("addresses", "asked_at", "failed_until", "failure", "host", "keep_until", "look_up", "refresh_at",
                 "seen_at", "told")  # fmt: skip

    def __init__(self, host: str) -> None:
        self.host = host
        self.addresses: Addresses | None = None
        #: Monotonic seconds, all that end in ``_at`` and ``_until``.
        self.refresh_at = self.keep_until = self.failed_until = self.asked_at = 0.0
        self.failure = "the look-up of the host's name was ended"
        #: When each address was last in an answer.
        self.seen_at: dict[str, float] = {}
        self.look_up: gevent.Greenlet[[_Name, bool], Addresses | None] | None = None
        #: Whether this look-up's being late was told.
        self.told = False


class Resolver:
    """The names of one client."""

    def __init__(
        self,
        *,
        refresh_s: float,
        keep_s: float,
        clock: Clock,
        names_max: int = NAMES_MAX,
        look_up: LookUp = ask_system,
    ) -> None:
        self._refresh_s = refresh_s
        self._keep_s = keep_s
        self._names_max = names_max
        self._clock = clock
        self._look_up = look_up
        self._names: OrderedDict[str, _Name] = OrderedDict()  # least recently used first
        self._places = BoundedSemaphore(LOOKUPS_MAX)
        self._refreshes = 0

    def __repr__(self) -> str:
        running = sum(name.look_up is not None for name in self._names.values())
        return f"<Resolver: {len(self._names)} names of {self._names_max}, {running} being looked up>"

    def resolve(self, host: str, wait_s: float) -> Addresses:
        """Return what *host* stands for, waiting at most *wait_s* if nothing is known.

        :raises ConnectFailed: there is no such name, or nobody knows.
        :raises TimeoutError: no answer within *wait_s*.
        """
        literal = _literal(host)
        if literal is not None:
            return Addresses((literal,), frozenset({literal.text}))
        name = self._name(host)
        found = self._known(name)
        if found is not None:
            return found
        if name.look_up is None:
            if self._clock() < name.failed_until:
                raise ConnectFailed(name.failure, reason="unknown_host")
            self._start(name, is_refresh=False)
        look_up = name.look_up
        assert look_up is not None
        look_up.join(wait_s)
        if not look_up.ready():
            raise TimeoutError
        # Its own result and not the cache's: that one may be out of date again when many waiters wake.
        if not isinstance(look_up.value, Addresses):
            raise ConnectFailed(name.failure, reason="unknown_host")
        return look_up.value

    def known(self, host: str) -> Addresses | None:
        """Return what is known of *host*, and have it looked up again if that is due.  Never waits."""
        if host not in self._names:
            return None
        return self._known(self._name(host))

    def stop(self) -> None:
        """End what is under way; who waits for it is told that there is no answer.  Safe to call twice."""
        for name in list(self._names.values()):
            if name.look_up is not None:
                name.look_up.kill(block=False)

    def _known(self, name: _Name) -> Addresses | None:
        now = self._clock()
        if name.addresses is None or now >= name.keep_until:
            return None
        if name.look_up is not None:
            if not name.told and now >= name.asked_at + self._refresh_s:
                self._tell_stale(name, "slow")
        elif now >= name.refresh_at and self._refreshes < REFRESHES_MAX:
            self._start(name, is_refresh=True)
        return name.addresses

    def _name(self, host: str) -> _Name:
        name = self._names.get(host)
        if name is None:
            self._make_room()
            name = self._names[host] = _Name(host)
        self._names.move_to_end(host)
        return name

    def _make_room(self) -> None:
        if len(self._names) < self._names_max:
            return
        for host, name in self._names.items():
            if name.look_up is None:
                del self._names[host]
                return
        raise ConnectFailed(f"{self._names_max} names are being looked up at once", reason="dns_full")

    def _start(self, name: _Name, *, is_refresh: bool) -> None:
        name.asked_at = self._clock()
        name.told = False
        self._refreshes += is_refresh
        name.look_up = gevent.spawn(self._run, name, is_refresh)

    def _run(self, name: _Name, is_refresh: bool) -> Addresses | None:
        try:
            with self._places:
                return self._ask(name)
        finally:
            self._refreshes -= is_refresh
            name.look_up = None

    def _ask(self, name: _Name) -> Addresses | None:
        try:
            found = list(dict.fromkeys(self._look_up(name.host)))
            failure = "" if found else "the host's name has no address"
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            found, failure = [], f"the host's name cannot be resolved: {why}"
        now = self._clock()
        name.refresh_at = now + self._refresh_s
        if found:
            return self._take(name, found, now)
        name.failure, name.failed_until = failure, now + FAILURE_KEPT_S
        if name.addresses is not None and now < name.keep_until:
            self._tell_stale(name, "failed")
        return None

    def _take(self, name: _Name, found: list[IpAddress], now: float) -> Addresses:
        seen_at = {text: at for text, at in name.seen_at.items() if now < at + GONE_AFTER_S}
        seen_at.update((each.text, now) for each in found)
        name.seen_at = seen_at
        name.keep_until = now + self._keep_s
        name.addresses = Addresses(_families_in_turn(found), frozenset(seen_at))
        return name.addresses

    def _tell_stale(self, name: _Name, reason: str) -> None:
        name.told = True
        age_s = self._clock() - (name.keep_until - self._keep_s)
        telemetry.event("dns.stale", host=name.host, reason=reason, age_s=age_s)


def _families_in_turn(found: list[IpAddress]) -> tuple[IpAddress, ...]:
    """Return the addresses so that whoever tries the first few has tried both families."""
    first = [each for each in found if each.family == found[0].family]
    second = [each for each in found if each.family != found[0].family]
    turns = max(len(first), len(second))
    return tuple(each for at in range(turns) for each in (*first[at : at + 1], *second[at : at + 1]))


def _literal(host: str) -> IpAddress | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return IpAddress(int(family), host)
    return None
