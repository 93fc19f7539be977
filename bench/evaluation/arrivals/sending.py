"""What the open-loop generator sends, at which instants, and how it reads what comes back.  Pure but for one file.

An answer has a length, or is without a body by its status.  Anything else is told by its status alone and taken for the
connection's last: no contestant's right answer is like that, or it would not have passed the checks before the run.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.evaluation.arrivals.orders import Kind, Load

__all__ = ["Answer", "answer", "instants", "requests"]

ECHO_BODY = Path(__file__).parents[2] / "wrk" / "echo.json"
KEYS = 10_000
#: As many different values as bench/wrk/put.lua has.
_VALUE = '{"by":"bench","number":"%016x","text":"%s"}'
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_CLOSE = re.compile(rb"\r\n[Cc]onnection: *[Cc]lose")
_NO_BODY = (204, 304)


class Answer(NamedTuple):
    """An answer that is whole."""

    status: int
    length: int
    #: The connection has had its last.
    last: bool


def answer(received: bytes) -> Answer | None:
    """Return the answer that *received* is; None as long as it is not whole."""
    end = received.find(_END)
    if end < 0:
        return None
    head = received[: end + 2]
    status = int(head[9:12])
    found = _LENGTH.search(head)
    if found is None:
        return Answer(status, 0, last=status not in _NO_BODY or _CLOSE.search(head) is not None)
    length = int(found[1])
    if len(received) < end + 4 + length:
        return None
    return Answer(status, length, last=_CLOSE.search(head) is not None)


def instants(loads: Sequence[Load], seed: int) -> list[float]:
    """Return when requests leave, in seconds since the beginning, as callers come who know nothing of one another.

    Each load has exactly its rate times its seconds of them, at instants drawn one by one: a Poisson process of which
    the count is known.  Evenly spaced ones would flatter: below its capacity no server would ever see two at once.
    """
    draw = random.Random(seed)
    meant: list[float] = []
    began = 0.0
    for load in loads:
        ended = began + load.seconds
        meant += sorted(draw.uniform(began, ended) for _ in range(round(load.rate * load.seconds)))
        began = ended
    return meant


def requests(kind: Kind, seed: int) -> list[bytes]:
    """Return what is sent, again and again in this order: what wrk's scripts send."""
    draw = random.Random(seed)
    if kind == "echo":
        return [_request("POST /bench/echo", ECHO_BODY.read_bytes())]
    keys = draw.sample(range(KEYS), KEYS)
    if kind == "get":
        return [_request(f"GET /bench/kvs/get-{key:05d}") for key in keys]
    return [
        _request(f"PUT /bench/kvs/put-{key:05d}", (_VALUE % (draw.getrandbits(64), "x" * 80)).encode())
        for key in keys
    ]


def _request(asked: str, body: bytes = b"") -> bytes:
    head = f"{asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
