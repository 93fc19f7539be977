"""What processes tell each other of endpoints, through Redis: found failing, found well again.

A rumour opens and closes no circuit: whoever hears that an endpoint fails needs fewer failures of its own to believe
it, and whoever hears that it is well tries it again sooner.  A lost rumour costs a little time, and a wrong one less.

No storm: of one endpoint a process says at most one thing a second, and nothing that any process (itself included) has
said within that second, because everybody has heard that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from gateway import telemetry
from gateway.domain.hint import CircuitClosed, CircuitOpened
from gateway.domain.resilience.health import Change, Event, State
from gateway.store.signals import Audience

__all__ = ["Publish", "Rumours", "Suspicious"]

#: Seconds for which one endpoint is not spoken of again.
_SILENCE_S = 1.0
#: Endpoints of whom it is remembered when they were spoken of last.
_REMEMBERED_MAX = 1_024
_AUDIENCES: tuple[Audience, ...] = ("gateways", "workers")

#: Says a hint to an audience; never waits.
Publish = Callable[[Audience, CircuitOpened | CircuitClosed], None]


class Suspicious(Protocol):
    """The part of the RPC client that listens to rumours."""

    def suspect(self, label: str, /) -> None:
        """Believe failures of this endpoint sooner, for a while."""
        ...

    def peer_recovered(self, label: str, /) -> None:
        """Try this endpoint now, if its circuit is open."""
        ...


class Rumours:
    """Says and hears them for one process."""

    def __init__(
        self,
        publish: Publish,
        client: Suspicious,
        *,
        me: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._client = client
        #: This process's id in the ledger; 0 while it has none.
        self._me = me
        self._clock = clock
        #: Endpoint -> when it was spoken of last, oldest first.
        self._spoken: dict[str, float] = {}

    def changed(self, endpoint: str, change: Change) -> None:
        """A circuit of this process changed.  Neither waits nor raises."""
        said: type[CircuitOpened | CircuitClosed]
        if change.event is Event.TRIP and change.after is State.OPEN:
            said = CircuitOpened
        elif change.event is Event.PROBES_PASSED:
            said = CircuitClosed
        else:
            # A failed probe is no news, and an operator's word reaches everybody by itself.
            return
        me = self._me()
        if me and self._is_news(endpoint):
            for audience in _AUDIENCES:
                self._publish(audience, said(endpoint, me))

    def hear(self, rumour: CircuitOpened | CircuitClosed) -> None:
        """Another process said this, or this one did."""
        if rumour.origin == self._me():
            return
        self._remember(rumour.endpoint)
        opened = isinstance(rumour, CircuitOpened)
        telemetry.event("breaker.hinted", endpoint=rumour.endpoint, kind="opened" if opened else "closed")
        if opened:
            self._client.suspect(rumour.endpoint)
        else:
            self._client.peer_recovered(rumour.endpoint)

    def _is_news(self, endpoint: str) -> bool:
        if self._clock() - self._spoken.get(endpoint, float("-inf")) < _SILENCE_S:
            return False
        self._remember(endpoint)
        return True

    def _remember(self, endpoint: str) -> None:
        self._spoken.pop(endpoint, None)
        while len(self._spoken) >= _REMEMBERED_MAX:
            del self._spoken[next(iter(self._spoken))]
        self._spoken[endpoint] = self._clock()
