"""What every sample's WSGI application does: read a body within bounds, answer in one piece or as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.demo.serving.events import TYPING, final
from gateway.demo.serving.refusal import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["BODY_BYTES_MAX", "JSON", "STREAM", "body_of", "headers_of", "told", "whole"]

#: State and memory of a turn are each bounded at 64 KiB by the gateway; the rest is a message.
BODY_BYTES_MAX = 512 * 1024

JSON = "application/json"
STREAM = "text/event-stream"


def told(start_response: StartResponse, streams: bool, reply: bytes, previews: bytes = b"") -> Iterable[bytes]:
    """Answer with *reply*, behind its *previews* where the caller *streams*."""
    if streams:
        return whole(start_response, "200 OK", TYPING + previews + final(reply), STREAM)
    return whole(start_response, "200 OK", reply)


def whole(
    start_response: StartResponse, status: str, body: bytes, content_type: str = JSON, cache: str = "no-store"
) -> Iterable[bytes]:
    """Answer in one piece."""
    start_response(
        status,
        [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", cache)],
    )
    return [body]


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return a request's headers, their names in lower case."""
    return {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def body_of(environ: Mapping[str, Any]) -> bytes:
    """Return a request's body.

    :raises Refusal: it is too large, or does not arrive.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > BODY_BYTES_MAX:
        raise Refusal("413 Content Too Large", "body")
    try:
        body: bytes = environ["wsgi.input"].read(BODY_BYTES_MAX + 1)
    except OSError as error:
        raise Refusal("408 Request Timeout", "body") from error
    if len(body) > BODY_BYTES_MAX:
        raise Refusal("413 Content Too Large", "body")
    return body
