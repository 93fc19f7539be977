"""The WSGI application: one route for turns, one for pictures, one for probes.

What a call goes through is :meth:`App._turn`, top to bottom.  Nothing of it is kept but the answers given lately, by
their idempotency keys, and fences: a restart in the middle of a dinner loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.demo.serving.events import deltas, wants_stream
from gateway.demo.serving.recall import Fences, Repeats
from gateway.demo.serving.refusal import Refusal
from gateway.demo.serving.signature import verify
from gateway.demo.serving.wsgi import body_of, headers_of, told, whole
from gateway.demo.tasted.pictures.gallery import Gallery
from gateway.demo.tasted.tasted import Tasted
from gateway.demo.wire import Card, List, Reply, Text, TurnRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["App"]

_KEY_CHARS_MAX = 200
_TURN_PATHS = ("/turn", "/")
_PICTURES = "/pictures/"
#: A picture of one name never changes but with a new version of us.
_PICTURE_CACHE = "public, max-age=86400"


class App:
    """Answers HTTP calls.  Clocks are handed in: *wall* is Unix time, *now* monotonic, in seconds."""

    def __init__(
        self,
        tasted: Tasted,
        gallery: Gallery,
        *,
        signing_keys: tuple[bytes, ...] = (),
        wall: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._tasted = tasted
        self._gallery = gallery
        self._signing_keys = signing_keys
        self._wall = wall
        self._now = now
        self._repeats = Repeats()
        self._fences = Fences()
        self._decoder = msgspec.json.Decoder(TurnRequest)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        try:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            reads = method in ("GET", "HEAD")
            if path == "/healthz" and reads:
                return whole(start_response, "200 OK", b'{"status":"ok"}')
            if path.startswith(_PICTURES) and reads:
                return self._picture(path.removeprefix(_PICTURES), start_response)
            if path not in _TURN_PATHS and path != "/healthz" and not path.startswith(_PICTURES):
                raise Refusal("404 Not Found", "no_such_path")
            if method != "POST" or path not in _TURN_PATHS:
                raise Refusal("405 Method Not Allowed", "method")
            return self._turn(environ, start_response)
        except Refusal as refusal:
            return whole(start_response, refusal.status, msgspec.json.encode({"error": refusal.reason}))

    def _picture(self, file: str, start_response: StartResponse) -> Iterable[bytes]:
        """Show a picture to anybody: a platform fetches it without a signature, and there is no secret in it."""
        name = file.removesuffix(".png")
        picture = self._gallery.png(name) if name != file else None
        if picture is None:
            raise Refusal("404 Not Found", "no_such_picture")
        return whole(start_response, "200 OK", picture, "image/png", _PICTURE_CACHE)

    def _turn(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = body_of(environ)
        headers = headers_of(environ)
        if self._signing_keys:
            verify(self._signing_keys, headers, body, self._wall())
        try:
            turn = self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal("400 Bad Request", "not_a_turn") from error
        if not self._fences.admit(turn.conversation.id, turn.fence):
            raise Refusal("409 Conflict", "old_fence")
        key = headers.get("idempotency-key", "")[:_KEY_CHARS_MAX]
        given = self._repeats.given(turn.conversation.id, key, self._now()) if key else None
        streams = turn.surface.streams and wants_stream(headers.get("accept", ""))
        if given is not None:
            return told(start_response, streams, given)
        answer = self._tasted.answer(turn, self._wall())
        reply = msgspec.json.encode(answer)
        if key:
            self._repeats.keep(turn.conversation.id, key, reply, self._now())
        return told(start_response, streams, reply, _previews(answer) if streams else b"")


def _previews(reply: Reply) -> bytes:
    text = " ".join(part.text for part in reply.parts if isinstance(part, Text))
    finished = [part for part in reply.parts if isinstance(part, Text | Card | List)]
    return deltas((f"{word} " for word in text.split()), finished)
