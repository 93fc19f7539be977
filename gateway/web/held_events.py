"""A stream of events where the server holds it: no greenlet while nothing is new.

    woken ──▶ Lookouts (a few greenlets for all streams) ──▶ HeldEvents.look ──▶ Source.next() ──▶ HeldStream.send

A stream that is woken waits for its turn with one of the lookouts, which asks its source until nothing is new.  Wakes
meanwhile are one wake.  While anything waits for the stream's reader, its source is not asked: what is new stays where
the source has it, and a slow reader costs one answer of ``next()``.

The server beats, ends what is too old, and sees the reader leave.  Under another WSGI server
``event_stream.EventStream`` does all that in the request's greenlet, and sends the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol
from wsgiref.types import WSGIEnvironment

import gevent
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import TryLater
from gateway.web.event_stream import TRY_AGAIN_S, EventStream, Source

__all__ = ["HeldEvents", "Lookouts", "open_stream"]

#: Streams whose sources are asked at the same time.  As many reads as the ledger takes in two batches: with more, each
#: would only wait longer, in a greenlet of its own.
LOOKOUTS_MAX = 128


class Stream(Protocol):
    """What the server holds.  Nothing of it waits."""

    on_drained: Callable[[], None] | None

    @property
    def open(self) -> bool:
        """Whether anything can be sent."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes that its reader did not take yet."""
        ...

    def send(self, data: bytes, /) -> bool:
        """Send *data*, or keep it until the reader takes it."""
        ...

    def end(self, last: bytes, reason: str, /) -> None:
        """End the stream behind *last*."""
        ...


def open_stream(
    environ: WSGIEnvironment,
    lookouts: Lookouts,
    begin: Callable[[Callable[[], None]], Source],
    *,
    first: bytes,
    last: bytes,
    beat: bytes,
    beat_s: float,
    age_max_s: float,
) -> Iterable[bytes]:
    """Return the body of a stream, whatever the server is.

    *begin* makes the source, is given what wakes the stream, and may refuse.
    """
    hold = environ.get("gateway.hold")
    if hold is None:
        woken = Event()
        source = begin(woken.set)
        return EventStream(source, woken, first=first, beat=beat, beat_s=beat_s, age_max_s=age_max_s)
    events = HeldEvents(lookouts, first)
    events.source = begin(events.wake)
    body: Iterable[bytes] = hold(
        events.opened, events.closed, beat=beat, beat_s=beat_s, age_max_s=age_max_s, last=last
    )
    return body


class HeldEvents:
    """One stream."""

    __slots__ = ("_first", "_lookouts", "_stream", "_waits", "_woken", "source")

    def __init__(self, lookouts: Lookouts, first: bytes) -> None:
        self._lookouts = lookouts
        self._first = first
        self._stream: Stream | None = None
        #: What is sent; None when that is over.
        self.source: Source | None = None
        #: It is its turn with a lookout, or will be.
        self._waits = False
        #: Something has happened since the source was last asked.
        self._woken = False

    def opened(self, stream: Stream) -> None:
        """The head is written."""
        self._stream = stream
        stream.on_drained = self.wake
        stream.send(self._first)
        self.wake()

    def closed(self, reason: str) -> None:
        """The stream is over."""
        # Let go: they know us as well, and are not to live on until the collector comes by.
        source, self.source, self._stream = self.source, None, None
        if source is not None:
            source.close(reason)

    def wake(self) -> None:
        """There may be something new."""
        stream, source = self._stream, self.source
        self._woken = True
        if stream is None or source is None:
            # It is not open yet, and looks as soon as it is; or it is over.
            return
        if source.ended:
            # Not now, because whoever wakes may be in the middle of a list that we leave; and not in turn, because the
            # ledger need not be asked for it.
            gevent.get_hub().loop.run_callback(self._end)
        elif not self._waits and not stream.buffered:
            self._waits = True
            self._lookouts.add(self)

    def look(self) -> bool:
        """Send what is new, waiting for it; False if that cannot be known now."""
        try:
            while self._send_next():
                pass
        except TryLater:
            return False
        except Exception as error:
            telemetry.event(
                "request.crashed", route="stream", reason=type(error).__name__, detail=telemetry.trace(error)
            )
            if self._stream is not None:
                self._stream.end(b"", "crashed")
        self._waits = False
        return True

    def _send_next(self) -> bool:
        """Send the next of what is new; return whether to ask again."""
        stream, source = self._stream, self.source
        if stream is None or source is None or source.ended or stream.buffered:
            return False
        # Forgotten before the look: what happens during it makes another one.
        self._woken = False
        news = source.next()
        if news:
            return stream.send(news)
        return source.more or self._woken

    def _end(self) -> None:
        stream, source = self._stream, self.source
        if stream is not None and source is not None:
            stream.end(source.last(), source.ended)


class Lookouts:
    """The greenlets that ask for all streams: at most ``at_once_max``, and none while nothing is new."""

    def __init__(self, at_once_max: int = LOOKOUTS_MAX) -> None:
        self._at_once_max = at_once_max
        self._busy = 0
        #: In order of arrival.  Each stream is here once at most.
        self._waiting: deque[HeldEvents] = deque()
        #: Those whose source could not be read.
        self._later: list[HeldEvents] = []

    def __repr__(self) -> str:
        return f"<Lookouts: {self._busy} busy, {len(self._waiting)} waiting, {len(self._later)} later>"

    def add(self, events: HeldEvents) -> None:
        """Have *events* looked after as soon as there is a greenlet for it."""
        self._waiting.append(events)
        if self._busy < self._at_once_max:
            self._busy += 1
            gevent.spawn(self._work)

    def _work(self) -> None:
        try:
            while self._waiting:
                events = self._waiting.popleft()
                if not events.look():
                    self._put_off(events)
        finally:
            self._busy -= 1

    def _put_off(self, events: HeldEvents) -> None:
        if not self._later:
            gevent.spawn_later(TRY_AGAIN_S, self._again)
        self._later.append(events)

    def _again(self) -> None:
        later, self._later = self._later, []
        for events in later:
            self.add(events)
