"""An application that says what it was asked, and the three ways in which each test asks it.

A request must mean the same however the network cuts it, and whatever stands behind it: so ``understood`` and
``refused`` send it whole, byte by byte, with the next request behind it, and with something that is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.server.raw import Answer, Caller, answers

__all__ = ["NEXT", "echo", "refused", "understood"]

NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n"
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00 no request at all"


def echo(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer with the environ's texts, and with the body as the input gives it."""
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def understood(port: int, request: bytes, *, closes: bool = False) -> dict[str, str]:
    """Return the environ that *request* became, the same each way; *closes*: it is its connection's last one."""
    method = request.lstrip().partition(b" ")[0].decode("latin-1")
    with Caller(port) as caller:
        whole = caller.send(request).answer(method)
        assert whole.status == 200, whole
        assert whole.closes == closes
        assert caller.ends() if closes else caller.is_silent()
    seen = [whole]
    with Caller(port) as caller:
        seen.append(caller.byte_by_byte(request).answer(method))
    for behind, status in ((NEXT, 200), (GARBAGE, 400)):
        with Caller(port) as caller:
            first, *others = answers(caller.send(request + behind).rest(), method)
        seen.append(first)
        assert [other.status for other in others] == ([] if closes else [status])
        assert closes or status != 200 or others[0].json["PATH_INFO"] == "/next"
    if method == "HEAD":
        return {}
    told = [_same_caller(one) for one in seen]
    assert told[1:] == [told[0]] * 3
    return told[0]


def refused(port: int, request: bytes, status: int, reason: str) -> Answer:
    """Return the only answer to *request*, which is a refusal each way; behind it the connection ends."""
    pieces: list[Iterable[bytes]] = [
        [request],
        [request[at : at + 1] for at in range(len(request))],
        [request + NEXT],
        [request, NEXT],
        [request + GARBAGE],
    ]
    only: Answer | None = None
    for way in pieces:
        with Caller(port) as caller:
            found = answers(caller.trickle(way).rest())
        assert [(one.status, one.closes) for one in found] == [(status, True)], found
        [only] = found
        assert only.headers["content-type"] == "application/json"
        assert only.json["error"] == reason, only.json
        assert "expected" in only.json["message"]
    assert only is not None
    return only


def _same_caller(answer: Answer) -> dict[str, str]:
    told: dict[str, str] = answer.json
    del told["REMOTE_PORT"]
    return told
