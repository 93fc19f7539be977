"""A stream of events (``text/event-stream``) as the body of a WSGI response.

``Source`` says what comes next; ``EventStream`` waits for it, in the request's greenlet, under any WSGI server.  One
that can hold a connection without a greenlet is given the source alone: see ``held_events.py``.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

import msgspec
from gevent.event import Event

from gateway.domain.errors import TryLater

__all__ = ["CONTENT_TYPE", "TRY_AGAIN_S", "EventStream", "Source", "event", "retry"]

CONTENT_TYPE = "text/event-stream; charset=utf-8"
#: Seconds before a source that could not read its store is asked again.
TRY_AGAIN_S = 1.0


class Source(Protocol):
    """What one stream sends."""

    @property
    def more(self) -> bool:
        """Whether to ask again at once."""
        ...

    @property
    def ended(self) -> str:
        """Why nothing comes any more, or an empty string."""
        ...

    def next(self) -> bytes:
        """Return what is to be sent now; nothing if there is nothing new.  It does not wait for news, but it may wait
        for a store.

        :raises TryLater: it cannot be known now.
        """
        ...

    def last(self) -> bytes:
        """Return the last bytes of a stream that we end.  Does not wait."""
        ...

    def close(self, reason: str) -> None:
        """The stream has ended."""
        ...


def event(name: str, data: object, *, seq: int | None = None) -> bytes:
    """Return one event; *seq* becomes its id, from which a reader that was cut off goes on."""
    # JSON has no bare line breaks, so one data line holds it.
    place = b"" if seq is None else b"id: %d\n" % seq
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), place, msgspec.json.encode(data))


def retry(after_ms: int) -> bytes:
    """Return the line that tells a reader how long to wait before it connects again."""
    return b"retry: %d\n\n" % after_ms


class EventStream:
    """An iterator of byte strings that waits for its source.

    Not a generator: the server closes a body that it never began to read, and a generator's ``finally`` would
    not run.
    """

    def __init__(
        self, source: Source, woken: Event, *, first: bytes, beat: bytes, beat_s: float, age_max_s: float
    ) -> None:
        self._source = source
        self._woken = woken
        self._first = first
        self._beat = beat
        self._beat_s = beat_s
        self._ends_at = time.monotonic() + age_max_s
        self._beat_at = 0.0
        self._ended = ""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        sent, self._first = self._first, b""
        while not sent:
            if self._ended:
                raise StopIteration
            sent = self._step()
        self._beat_at = time.monotonic() + self._beat_s
        return sent

    def close(self) -> None:
        """Give the stream's place back.  Safe twice."""
        self._source.close(self._ended or "left")

    def _step(self) -> bytes:
        """Return what is to be sent now, or nothing after a wait."""
        self._ended = self._source.ended or ("age" if time.monotonic() >= self._ends_at else "")
        if self._ended:
            return self._source.last()
        # Cleared before the look: what happens during it wakes the wait behind it.
        self._woken.clear()
        until = min(self._beat_at, self._ends_at)
        try:
            if news := self._source.next():
                return news
        except TryLater:
            until = min(until, time.monotonic() + TRY_AGAIN_S)
        else:
            if self._source.more:
                return b""
        if time.monotonic() >= self._beat_at:
            return self._beat
        self._woken.wait(max(0.0, until - time.monotonic()))
        return b""
