"""Readers are handed from connection to connection: only when nothing of a request is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.server.conftest import Serve
from tests.server.raw import Caller

REQUEST = b"GET /mine HTTP/1.1\r\nHost: a\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: b\r\n\r\n"


def path(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


@pytest.mark.parametrize("at", range(1, len(REQUEST)))
def test_half_a_request_stays_with_its_connection(serve: Serve, at: int) -> None:
    """Of a part of a method the parser says nothing to anybody; the next connection must not get it for a beginning."""
    port = serve(path)
    with Caller(port) as first, Caller(port) as second:
        first.trickle([REQUEST[:at]])
        second.trickle([OTHER])
        assert second.answer().body == b"/other"
        first.send(REQUEST[at:])
        assert first.answer().body == b"/mine"


@pytest.mark.parametrize("at", range(1, len(REQUEST)))
def test_half_a_request_behind_a_whole_one_stays_with_its_connection(serve: Serve, at: int) -> None:
    port = serve(path)
    with Caller(port) as first, Caller(port) as second:
        first.trickle([OTHER + REQUEST[:at]])
        assert first.answer().body == b"/other"
        second.trickle([OTHER])
        assert second.answer().body == b"/other"
        first.send(REQUEST[at:])
        assert first.answer().body == b"/mine"


def test_line_breaks_between_requests_are_nothing(serve: Serve) -> None:
    """RFC 9112, section 2.2: at least one is to be ignored."""
    port = serve(path)
    with Caller(port) as first, Caller(port) as second:
        first.trickle([OTHER, b"\r", b"\n", b"\r\n\r"])
        assert first.answer().body == b"/other"
        second.trickle([OTHER])
        assert second.answer().body == b"/other"
        first.send(b"\n" + REQUEST)
        assert first.answer().body == b"/mine"
