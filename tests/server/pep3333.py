"""What the tests of PEP 3333 share: two requests, and bodies that note what is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.server.echo import NEXT
from tests.server.raw import Answer, Caller

__all__ = ["GET", "PLAIN", "POST", "Closing", "Environ", "ask", "is_500"]

GET = b"GET /path%20x?a=b HTTP/1.1\r\nHost: localhost:8080\r\nA-B: c\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/x\r\nContent-Length: 14\r\n\r\none\ntwo\n\nthree"
PLAIN = [("Content-Type", "text/plain")]
Environ = dict[str, Any]


def ask(port: int, request: bytes = POST) -> Answer:
    """Return the answer; behind it the connection goes on with the next answer, or ends as it said."""
    with Caller(port) as caller:
        answer = caller.send(request).answer()
        if answer.closes:
            assert caller.ends()
        else:
            assert caller.is_silent()
    return answer


def is_500(port: int) -> Answer:
    """Whatever the application did wrong: one answer, which is ours, and the end, though more was asked."""
    with Caller(port) as caller:
        answer = caller.send(POST + NEXT).answer()
        assert (answer.status, answer.closes, answer.json["error"]) == (500, True, "crashed")
        assert caller.ends()
    return answer


class Closing:
    """An iterable that notes that it was closed."""

    def __init__(self, pieces: Iterable[bytes], *, fails: bool = False) -> None:
        self.closed = 0
        self._pieces = pieces
        self._fails = fails

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._fails:
            raise RuntimeError("in the middle")

    def close(self) -> None:
        self.closed += 1
