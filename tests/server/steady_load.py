"""Callers that never stop asking, and do what RFC 9112 lets a client do when a connection ends under its hands.

- A kept connection that has ended is not used again.
- A request on a kept connection that ended before the first byte of an answer is sent again, on a new connection, if it
  is a GET (section 9.3.1: only what is idempotent).  A POST is not: it is lost.
- Behind an answer with ``Connection: close`` nothing is sent.
- A port that refuses, or resets before anything is sent, is left for the next one.
"""

from __future__ import annotations

import itertools
import random
import select
from collections import Counter
from collections.abc import Sequence

import gevent
from gevent.event import Event

from tests.server.raw import Caller, NoAnswer
from tests.support.waiting import until

__all__ = ["SteadyLoad"]

#: Rounds through all ports that refuse before a request counts as lost.
_ROUNDS_MAX = 3
_numbers = itertools.count()


class SteadyLoad:
    """Callers on any number of ports, which all lead to the same service."""

    def __init__(self, ports: Sequence[int], *, callers: int = 12, pause_s: float = 0.03) -> None:
        self.ports = ports
        self.pause_s = pause_s
        #: ``GET``, ``POST``: answered rightly; ``sent again``, ``refused``, ``told``: what else happened.
        self.counts: Counter[str] = Counter()
        #: What was not answered, or not rightly.
        self.lost: list[str] = []
        self.stopping = Event()
        self._callers = [gevent.spawn(_Loader(self, at).run) for at in range(callers)]

    def wait_more(self, answers: int = 100) -> None:
        """Wait for so many answers more than there are."""
        wanted = self.answered + answers
        until(f"{answers} more answers; lost: {self.lost}", lambda: self.answered >= wanted)

    @property
    def answered(self) -> int:
        return self.counts["GET"] + self.counts["POST"]

    def stop(self) -> None:
        self.stopping.set()
        gevent.joinall(self._callers, raise_error=True)


class _Loader:
    def __init__(self, load: SteadyLoad, at: int) -> None:
        self._load = load
        self._at = at
        self._caller: Caller | None = None
        # The same pauses in each run.
        self._draw = random.Random(at)

    def run(self) -> None:
        load = self._load
        while not load.stopping.wait(self._draw.random() * 2 * load.pause_s):
            self._ask(self._draw.choice(["GET", "POST"]))
        self._close()

    def _ask(self, method: str) -> None:
        body = f"number {next(_numbers)}".encode() if method == "POST" else b""
        request = f"{method} /work HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        while True:
            kept = self._still_there()
            caller = self._caller or self._connect()
            if caller is None:
                self._load.lost.append(f"{method}: every port refused")
                return
            self._caller = caller
            try:
                answer = caller.send(request).answer()
            except (NoAnswer, OSError) as error:
                began = bool(caller.received)
                self._close()
                if kept and not began and method == "GET":
                    self._load.counts["sent again"] += 1
                    continue
                self._load.lost.append(f"{method} on a {'kept' if kept else 'new'} connection: {error!r}")
                return
            break
        if (answer.status, answer.body) == (200, body):
            self._load.counts[method] += 1
        else:
            self._load.lost.append(f"{method} {body!r}: {answer}")
        if answer.closes:
            self._load.counts["told"] += 1
            self._close()

    def _still_there(self) -> bool:
        """Whether there is a kept connection, and nothing has come on it, be it its end."""
        if self._caller is None:
            return False
        readable, _, _ = select.select([self._caller.sock], [], [], 0)
        if readable:
            self._close()
        return not readable

    def _connect(self) -> Caller | None:
        for _ in range(_ROUNDS_MAX * len(self._load.ports)):
            try:
                return Caller(self._load.ports[self._at % len(self._load.ports)])
            except (ConnectionRefusedError, ConnectionResetError):
                # Nothing has been sent.
                self._load.counts["refused"] += 1
                self._at += 1
        return None

    def _close(self) -> None:
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.close()
