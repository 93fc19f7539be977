"""Assistants go wrong in ways worth seeing: one switch, for demonstrations and tests.

``make run FAULT=slow`` shows the gateway's apology, the failed turn with its reason, and the breaker opening.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from gateway.demo.serving.events import TYPING, delta

__all__ = ["FAULTS", "Fault", "Faulty", "faulty"]

Fault = Literal["slow", "crash", "not_json", "wrong_schema", "huge", "endless"]
FAULTS: tuple[Fault, ...] = ("slow", "crash", "not_json", "wrong_schema", "huge", "endless")

#: How long "slow" says nothing: longer than any turn's deadline.
SLOW_S = 120.0
HUGE_BYTES = 12 * 1024 * 1024
_HUGE_PIECE = b"x" * 65_536
#: Pause between two pieces of an endless stream.
ENDLESS_PAUSE_S = 0.05


class Faulty(NamedTuple):
    """A broken answer."""

    content_type: str
    body: Iterator[bytes]


def faulty(fault: Fault, sleep: Callable[[float], object]) -> Faulty:
    """Return an answer that is broken in the way of *fault*."""
    match fault:
        case "slow":
            return Faulty("application/json", _slow(sleep))
        case "crash":
            return Faulty("application/json", _crash())
        case "not_json":
            return Faulty("application/json", iter([b"<html><h1>It works!</h1></html>"]))
        case "wrong_schema":
            return Faulty("application/json", iter([b'{"parts":[{"type":"hologram","text":3}]}']))
        case "huge":
            return Faulty("application/json", _huge())
        case "endless":
            return Faulty("text/event-stream", _endless(sleep))


def _slow(sleep: Callable[[float], object]) -> Iterator[bytes]:
    sleep(SLOW_S)
    yield b'{"parts":[{"type":"text","text":"Sorry for the wait. Is anybody still there?"}]}'


def _crash() -> Iterator[bytes]:
    yield b'{"parts":[{"type":"text","te'
    # The server takes this for a connection that broke, and closes it without the end of the body.
    raise ConnectionResetError(errno.ECONNRESET, "fault: crash")


def _huge() -> Iterator[bytes]:
    yield b'{"parts":[{"type":"text","text":"'
    for _ in range(HUGE_BYTES // len(_HUGE_PIECE)):
        yield _HUGE_PIECE
    yield b'"}]}'


def _endless(sleep: Callable[[float], object]) -> Iterator[bytes]:
    yield TYPING
    while True:
        yield delta("and another thing, ")
        sleep(ENDLESS_PAUSE_S)
