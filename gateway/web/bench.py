"""``/bench/...``: the tests of the platform evaluation of 2018, and streams.  Off unless ``bench.enabled``.

| route                    | what it does                                                                |
|--------------------------|-----------------------------------------------------------------------------|
| `POST /bench/echo`       | decodes JSON and encodes it again                                           |
| `GET /bench/rpc`         | waits 50 ms inside the process, as for a service that takes that long       |
| `GET /bench/kvs/<key>`   | the value, read from PostgreSQL each time                                   |
| `PUT /bench/kvs/<key>`   | the body, which is JSON, becomes the value; on disk before the answer       |
| `GET /bench/stream`      | a stream of events (``text/event-stream``)                                  |
| `POST /bench/stream`     | one event, with the JSON of the body, to all streams open in this process   |

All are express but opening a stream, which needs the server's own word for holding one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import flask
import msgspec
from gevent.event import Event

from gateway.domain.errors import BadRequest, NotFound, TooLarge
from gateway.domain.http import Request, Response, json_response
from gateway.settings.bench import BenchSettings
from gateway.store.kvs import KeyValues
from gateway.waiting import EqualWaits
from gateway.web.event_stream import CONTENT_TYPE, EventStream, event, retry
from gateway.web.express import Route

__all__ = ["Bench"]

#: Events that wait for the reader of a stream where the server does not hold it; above it the stream ends.
EVENTS_WAITING_MAX = 100
#: A reader that was cut off comes back after a second.
RETRY_MS = 1_000
_OPENING = retry(RETRY_MS)
_BEAT = event("beat", {})
#: X-Accel-Buffering: nginx would keep events back until its buffer is full.
_STREAM_HEADERS = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class _Stream(Protocol):
    """An open stream, whoever keeps it.  Neither method waits."""

    def send(self, data: bytes, /) -> bool:
        """Send *data*; False if the stream is over."""
        ...

    def end(self, last: bytes = b"", /) -> None:
        """End the stream behind *last*."""
        ...


class Bench:
    """The routes, and the streams that are open in this process."""

    def __init__(self, settings: BenchSettings, values: KeyValues) -> None:
        self._settings = settings
        self._values = values
        self._open: set[_Stream] = set()
        self._rpc_waits = EqualWaits(settings.rpc_wait_s)

    def routes(self) -> list[Route]:
        """Return the express routes."""
        return [
            Route(("POST",), "/bench/echo", _echo, name="bench_echo"),
            Route(("GET",), "/bench/rpc", self._rpc, name="bench_rpc"),
            Route(("GET",), "/bench/kvs/<key>", self._get, name="bench_kvs_get"),
            Route(("PUT",), "/bench/kvs/<key>", self._put, name="bench_kvs_put"),
            Route(("POST",), "/bench/stream", self._publish, name="bench_stream_publish"),
        ]

    def pages(self) -> flask.Blueprint:
        """Return the route that is Flask's alone."""
        pages = flask.Blueprint("bench", __name__, url_prefix="/bench")
        pages.add_url_rule("/stream", "stream", self._stream, methods=["GET"])
        return pages

    def end(self) -> None:
        """End all streams; their readers come back, to another process.  Safe twice."""
        for stream in tuple(self._open):
            stream.end(_OPENING)

    def _rpc(self, _: Request) -> Response:
        self._rpc_waits.wait()
        return json_response({"ok": True})

    def _get(self, _: Request, key: str) -> Response:
        value = self._values.get(key)
        if value is None:
            raise NotFound("there is no value of this key", reason="no_such_key")
        return Response(200, value.encode(), "application/json")

    def _put(self, request: Request, key: str) -> Response:
        bytes_max = self._settings.kvs_value_bytes_max
        if len(request.body) > bytes_max:
            raise TooLarge(
                f"expected a value of at most {bytes_max} bytes (bench.kvs_value_bytes_max), "
                f"got {len(request.body)} bytes",
                reason="value_too_large",
            )
        _decoded(request.body)
        self._values.put(key, request.body.decode())
        return Response(204)

    def _publish(self, request: Request) -> Response:
        told = event("bench", _decoded(request.body))
        # A copy, because a stream whose reader is too slow leaves the set while it is told.
        return json_response({"streams": sum(stream.send(told) for stream in tuple(self._open))})

    def _stream(self) -> flask.Response:
        hold = flask.request.environ.get("gateway.hold")
        body: Iterable[bytes]
        if hold is None:
            body = _Plain(self._open).body(self._settings.stream_beat_s)
        else:
            held = _Held(self._open)
            body = hold(held.opened, held.closed, beat=_BEAT, beat_s=self._settings.stream_beat_s)
        # The server must be given the body itself: it recognises a stream that it holds.
        return flask.Response(body, headers=_STREAM_HEADERS, direct_passthrough=True)


class _Held:
    """A stream that the server holds: no greenlet waits for it."""

    __slots__ = ("_open", "_stream")

    def __init__(self, open_streams: set[_Stream]) -> None:
        self._open = open_streams
        self._stream: _Stream | None = None

    def opened(self, stream: _Stream) -> None:
        self._stream = stream
        self._open.add(stream)
        stream.send(_OPENING)

    def closed(self, _reason: str) -> None:
        if self._stream is not None:
            self._open.discard(self._stream)
            # It knows us, and is not to live on until the collector comes by.
            self._stream = None


class _Plain:
    """A stream under any other server, whose request's greenlet waits: the source of an ``EventStream``."""

    more = False

    def __init__(self, open_streams: set[_Stream]) -> None:
        self._open = open_streams
        self._woken = Event()
        self._waiting: list[bytes] = []
        self._last = b""
        self.ended = ""

    def body(self, beat_s: float) -> EventStream:
        """Open the stream and return what the server iterates over."""
        self._open.add(self)
        return EventStream(
            self, self._woken, first=_OPENING, beat=_BEAT, beat_s=beat_s, age_max_s=math.inf
        )

    def send(self, data: bytes) -> bool:
        if not self.ended and len(self._waiting) >= EVENTS_WAITING_MAX:
            self._end("slow_reader")
        if self.ended:
            return False
        self._waiting.append(data)
        self._woken.set()
        return True

    def end(self, last: bytes = b"") -> None:
        if not self.ended:
            self._last = last
            self._end("draining")

    def next(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)

    def last(self) -> bytes:
        return self.next() + self._last

    def close(self, reason: str) -> None:
        self.ended = self.ended or reason
        self._open.discard(self)

    def _end(self, reason: str) -> None:
        self.ended = reason
        self._woken.set()


def _echo(request: Request) -> Response:
    return json_response(_decoded(request.body))


def _decoded(body: bytes) -> Any:
    """Return the JSON value that *body* is.

    :raises BadRequest: it is none.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest("expected JSON that is not nested so deeply", reason="too_deep") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"expected JSON: {error}", reason="not_json") from None
