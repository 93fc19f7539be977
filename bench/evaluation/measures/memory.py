"""What a connection costs a contestant in memory, while it lies idle and while it is held as a stream of events."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Literal

from bench.answers import WrongAnswer
from bench.connections import ECHO, STREAM, growth_per_connection
from bench.contestants import Running
from bench.evaluation.measure import Plot, Stage, Taken

__all__ = ["CONNECTIONS", "Memory", "memory"]

#: Counted, and open before the first look.
CONNECTIONS, BALLAST = 4_000, 1_000
_ANSWER_MAX_S = 10.0


class Memory:
    """Growth of PSS over many connections, in a process of its own."""

    value: str = "connection_kb"
    unit: str = "KB a connection"
    better: Literal["more", "less"] = "less"
    plot: Plot | None = None
    quick: bool = False
    take_s: float = 3.5

    def __init__(
        self,
        name: Literal["idle", "streams"],
        contestants: Sequence[str],
        *,
        connections: int = CONNECTIONS,
        ballast: int = BALLAST,
    ) -> None:
        self.name: str = name
        self.contestants = contestants
        self.title = {"idle": "Memory of an idle connection", "streams": "Memory of a held stream"}[name]
        self.about = {
            "idle": f"Growth of PSS over {connections:,} connections that lie idle after one request each.",
            "streams": f"Growth of PSS over {connections:,} streams of events that are held open.",
        }[name]
        self._request = {"idle": ECHO, "streams": STREAM}[name]
        self._connections = connections
        self._ballast = ballast

    def take(self, name: str, stage: Stage) -> Taken:
        """Open them, count, and close them."""
        with stage.fresh(name) as server:
            if server.contestant.heap_ahead:
                raise WrongAnswer("has taken its heap beforehand: growth says nothing of its connections")
            _must_hold(server, self._request)
            grown = growth_per_connection(server, self._request, self._connections, ballast=self._ballast)
        return Taken(values={self.value: grown / 1024})


def memory(contestants: Sequence[str]) -> list[Memory]:
    """Return both."""
    return [Memory("idle", contestants), Memory("streams", contestants)]


def _must_hold(server: Running, request: bytes) -> None:
    """Throw out who has no connections of that kind, with a better reason than that one of them was closed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_ANSWER_MAX_S)
    try:
        if request is STREAM:
            connection.request("GET", "/bench/stream", headers={"Accept": "text/event-stream"})
        else:
            connection.request("GET", "/bench/rpc")
        answer = connection.getresponse()
        if request is STREAM and answer.status in (404, 405, 501):
            raise WrongAnswer("has no streams of events here")
        if request is ECHO and answer.will_close:
            raise WrongAnswer("closes each connection after its answer")
    except http.client.HTTPException as error:
        raise WrongAnswer(f"no answer: {error!r}") from error
    finally:
        connection.close()
