"""Server-sent events: bytes in, events out, in whatever pieces the network cuts them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

Rules:

- A line ends with CR, LF or CRLF; one byte order mark may open the stream; a line that begins with a colon is
  a comment.
- An event without ``data`` is none, and so is one whose closing blank line never came.
- ``id`` and ``retry`` are read over: a call is never resumed, it ends with its reply or fails.
- Every byte counts against ``stream_bytes_max``, comments too; every event against ``events_max``; the data
  of one event and the line being read against ``event_bytes_max``.  Over a bound the parser raises, and is of
  no use afterwards.

Pure.  Data stays bytes: whoever reads an event decodes and checks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gateway.domain.errors import AssistantFailed

__all__ = ["EventParser", "ServerEvent"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerEvent(msgspec.Struct, frozen=True):
    """One event; ``name`` is ``message`` where the stream gave none."""

    name: str
    data: bytes


class EventParser:
    """Parses one stream.  Bounds are in bytes and events, and named as their settings are."""

    def __init__(self, *, event_bytes_max: int, stream_bytes_max: int, events_max: int) -> None:
        self._event_bytes_max = event_bytes_max
        self._stream_bytes_max = stream_bytes_max
        self._events_max = events_max
        self._bytes = 0
        self._events = 0
        #: The line being read; a bytearray, because a stream may come byte by byte.
        self._line = bytearray()
        self._first_line = True
        self._after_cr = False
        self._name = b""
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Yield the events that *chunk* completes.  Exhaust the iterator before feeding again.

        :raises AssistantFailed: ``too_large`` (one event), ``stream_too_long`` (bytes or events).
        """
        self._bytes += len(chunk)
        if self._bytes > self._stream_bytes_max:
            raise _over("stream_too_long", "stream_bytes_max", self._stream_bytes_max)
        start = 0
        if self._after_cr and chunk:
            # The CR has ended its line already; if this LF belongs to it, it is not another end.
            self._after_cr = False
            start = int(chunk[0] == 0x0A)
        for end in _LINE_END.finditer(chunk, start):
            self._line += chunk[start : end.start()]
            start = end.end()
            yield from self._end_line()
        self._line += chunk[start:]
        if len(self._line) > self._event_bytes_max:
            raise _over("too_large", "reply_bytes_max", self._event_bytes_max)
        self._after_cr = chunk.endswith(b"\r") if chunk else self._after_cr

    def _end_line(self) -> Iterator[ServerEvent]:
        line = bytes(self._line)
        self._line.clear()
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            yield from self._end_event()
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._add_data(value)
        elif field == b"event":
            self._name = value

    def _add_data(self, value: bytes) -> None:
        # The one byte more is the line feed that joins it to the line before.
        self._data_bytes += len(value) + 1
        if self._data_bytes > self._event_bytes_max:
            raise _over("too_large", "reply_bytes_max", self._event_bytes_max)
        self._data.append(value)

    def _end_event(self) -> Iterator[ServerEvent]:
        name, data = self._name, self._data
        self._name, self._data, self._data_bytes = b"", [], 0
        if not data:
            return
        self._events += 1
        if self._events > self._events_max:
            raise _over("stream_too_long", "events_max", self._events_max)
        yield ServerEvent(name.decode("ascii", "replace") or "message", b"\n".join(data))


def _over(reason: str, setting: str, bound: int) -> AssistantFailed:
    return AssistantFailed(f"the assistant's stream went over {setting} ({bound})", reason=reason)
