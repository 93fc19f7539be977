"""The WSGI application: one route for turns, one for probes.

What a call goes through is :meth:`App._turn`, top to bottom.  The answer is decided before the first byte of it leaves,
and kept under its idempotency key; telling it slowly, or as a stream, is a matter of presentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.demo.bartender.bartender import Answer, Bartender
from gateway.demo.bartender.serving.faults import faulty
from gateway.demo.bartender.serving.options import Options
from gateway.demo.serving.events import TYPING, delta, deltas, final, wants_stream
from gateway.demo.serving.recall import Fences, Repeats
from gateway.demo.serving.refusal import Refusal
from gateway.demo.serving.signature import verify
from gateway.demo.serving.wsgi import STREAM, body_of, headers_of, told, whole
from gateway.demo.wire import TurnRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["App"]

#: The part of a turn's deadline that telling may take: the rest is for the way back.
_DEADLINE_SHARE = 0.8
_KEY_CHARS_MAX = 200

_TURN_PATHS = ("/turn", "/")

class App:
    """Answers HTTP calls.  Clocks and *sleep* are handed in: *wall* is Unix time, *now* monotonic, in seconds."""

    def __init__(
        self,
        bartender: Bartender,
        options: Options,
        *,
        wall: Callable[[], float],
        now: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._bartender = bartender
        self._options = options
        self._wall = wall
        self._now = now
        self._sleep = sleep
        self._repeats = Repeats()
        self._fences = Fences()
        self._decoder = msgspec.json.Decoder(TurnRequest)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        try:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            if path == "/healthz" and method in ("GET", "HEAD"):
                return whole(start_response, "200 OK", b'{"status":"ok"}')
            if path not in (*_TURN_PATHS, "/healthz"):
                raise Refusal("404 Not Found", "no_such_path")
            if method != "POST" or path == "/healthz":
                raise Refusal("405 Method Not Allowed", "method")
            return self._turn(environ, start_response)
        except Refusal as refusal:
            return whole(start_response, refusal.status, msgspec.json.encode({"error": refusal.reason}))

    def _turn(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = body_of(environ)
        headers = headers_of(environ)
        if self._options.signing_keys:
            verify(self._options.signing_keys, headers, body, self._wall())
        try:
            turn = self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal("400 Bad Request", "not_a_turn") from error
        if not self._fences.admit(turn.conversation.id, turn.fence):
            raise Refusal("409 Conflict", "old_fence")
        if self._options.fault:
            broken = faulty(self._options.fault, self._sleep)
            start_response("200 OK", [("Content-Type", broken.content_type)])
            return broken.body
        key = headers.get("idempotency-key", "")[:_KEY_CHARS_MAX]
        given = self._repeats.given(turn.conversation.id, key, self._now()) if key else None
        streams = turn.surface.streams and wants_stream(headers.get("accept", ""))
        if given is not None:
            return told(start_response, streams, given)
        answer = self._bartender.answer(turn)
        reply = msgspec.json.encode(answer.reply)
        if key:
            self._repeats.keep(turn.conversation.id, key, reply, self._now())
        if answer.slow:
            return self._slowly(start_response, streams, answer, reply, turn.deadline_ms / 1_000)
        previews = deltas(answer.pieces, answer.finished) if streams else b""
        return told(start_response, streams, reply, previews)

    def _slowly(
        self, start_response: StartResponse, streams: bool, answer: Answer, reply: bytes, left_s: float
    ) -> Iterable[bytes]:
        """Tell *answer* piece by piece, in time for the turn's deadline."""
        pause_s = max(0.0, min(self._options.invent_s, left_s * _DEADLINE_SHARE)) / len(answer.pieces)
        if not streams:
            self._sleep(pause_s * len(answer.pieces))
            return told(start_response, streams, reply)
        start_response("200 OK", [("Content-Type", STREAM), ("Cache-Control", "no-store")])
        return self._pieces(answer, reply, pause_s)

    def _pieces(self, answer: Answer, reply: bytes, pause_s: float) -> Iterator[bytes]:
        yield TYPING
        for piece in answer.pieces:
            yield delta(piece)
            self._sleep(pause_s)
        yield final(reply)
