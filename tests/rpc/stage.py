"""Copies of a service that answer ``GET /`` at once, and everything else only when the test does."""

from __future__ import annotations

from typing import Any, NamedTuple

from gevent.queue import Queue

from gateway.rpc import Call, Policy, RpcClient, Service
from tests.rpc.peer import GUARD_S, OK, Link, Script, Serve, Server, to

__all__ = ["Asked", "Stage", "fleet"]


def fleet(*servers: Server, name: str = "peer", **policy: Any) -> Service:
    """Return *servers* as the copies of one service."""
    return Service(name, tuple(server.url for server in servers), Policy(**policy))


class Asked(NamedTuple):
    """A request that waits for the test's answer."""

    #: Which copy was asked, from 0.
    copy: int
    path: str
    link: Link


class Stage:
    """Some copies of one service."""

    def __init__(self, serve: Serve, copies: int = 2) -> None:
        #: Requests that wait for the test's answer, in the order in which they came.
        self.asked: Queue[Asked] = Queue()
        self._gone: set[Link] = set()
        self._ended: Queue[Link] = Queue()
        self.servers = [serve(self._script(copy)) for copy in range(copies)]

    def service(self, name: str = "peer", **policy: Any) -> Service:
        """Return the copies as a service that may be hedged, if *policy* does not say otherwise."""
        return fleet(*self.servers, name=name, **{"hedge": True} | policy)

    def call(self, path: str = "/late", **changes: Any) -> Call:
        """Return an idempotent call to them."""
        return to(self.servers[0], **{"service": self.service(), "path": path, "idempotent": True} | changes)

    def warm(self, client: RpcClient, calls: int = 50, **changes: Any) -> None:
        """Make so many quick calls that the client knows what is late."""
        for _ in range(calls):
            assert client.call(self.call("/", **changes)).status == 200

    def next(self) -> Asked:
        """Return the next request that waits for an answer."""
        return self.asked.get(timeout=GUARD_S)

    def hung_up(self, link: Link) -> bool:
        """Return whether the client closes *link*; wait for it."""
        while link not in self._gone:
            self._gone.add(self._ended.get(timeout=GUARD_S))
        return True

    def _script(self, copy: int) -> Script:
        def script(link: Link) -> None:
            try:
                while request := link.request():
                    path = request.split(b" ", 2)[1].decode()
                    if path == "/":
                        link.send(OK)
                    else:
                        self.asked.put(Asked(copy, path, link))
            finally:
                self._ended.put(link)

        return script
