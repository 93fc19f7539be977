"""``python -m bench.evaluation.arrivals.arriving``: the open-loop generator; obeys orders on stdin, a line each.

It answers with two: the instant at which the run begins, and what became of it (:class:`Arrived`).

A request leaves at its instant, whatever became of those before it, over any connection that is idle; where none is,
one more is opened, up to the order's bound, and beyond that the request waits in line while its latency runs.  So a
server that stands still is charged for everybody who would have come meanwhile (no coordinated omission).

One thread around epoll, without an event loop: about 10 µs a request where there is no time to wait, little more than
wrk.  It never spins, because PostgreSQL has the same core, and its own share of it is told.
"""

from __future__ import annotations

import gc
import math
import select
import signal
import socket
import sys
import time
from array import array
from collections import deque

import msgspec

from bench.evaluation.arrivals import tally
from bench.evaluation.arrivals.orders import Arrived, Order
from bench.evaluation.arrivals.sending import answer, instants, requests
from bench.evaluation.arrivals.tally import Fate, judged

__all__ = ["Arriving"]

_now = time.monotonic
#: Seconds until the first instant: the instants are put on the machine's clock meanwhile.
_START_S = 0.05
#: How long nothing may be looked at: who has lost its patience is noticed as late as this.
_LOOK_S = 0.05
#: Answers taken before looking at the clock for requests that are due.
_EVENTS_MAX = 64
_READ_BYTES = 262_144
_CONNECTING = select.EPOLLOUT
_READING = select.EPOLLIN


class Arriving:
    """One run."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = requests(order.kind, order.seed)
        meant = instants(order.loads, order.seed)
        self._fates = bytearray(len(meant))
        #: Seconds; who gets no right answer has waited for as long as it would.
        self._took = array("d", [order.patience_s]) * len(meant)
        self._behind = array("d", bytes(8 * len(meant)))
        #: By request: the connection that it was sent over, 0 before that.
        self._fd_of = array("i", bytes(4 * len(meant)))
        #: Whose instant comes next, and the first that may be undecided.
        self._next = self._oldest = 0
        self._line: deque[int] = deque()
        self._open: dict[int, socket.socket] = {}
        self._connecting: set[int] = set()
        self._idle: list[int] = []
        #: By connection: the request under way, and what has come of its answer.
        self._asking: dict[int, int] = {}
        self._rest: dict[int, bytes] = {}
        self._epoll = select.epoll()
        #: The first instant, on the machine's clock: CLOCK_MONOTONIC, which is ``time.monotonic()`` in every process.
        self.began_at = _now() + _START_S
        self._meant = array("d", (self.began_at + each for each in meant))

    def run(self) -> Arrived:
        """Play all loads, and wait until every request has its fate."""
        ends_at, shares = self.began_at, []
        for load in self._order.loads:
            used_s, from_at = time.process_time(), max(_now(), self.began_at)
            ends_at += load.seconds
            self._play(ends_at)
            shares.append((time.process_time() - used_s) / max(1e-9, _now() - from_at))
        self._play(math.inf)
        for each in self._open.values():
            each.close()
        self._epoll.close()
        return self._told(shares)

    def _play(self, until: float) -> None:
        """Go on until an instant, or until all is decided where there is none."""
        meant, count = self._meant, len(self._meant)
        while (now := _now()) < until:
            while self._next < count and meant[self._next] <= now:
                self._behind[self._next] = now - meant[self._next]
                self._next += 1
                self._leave(self._next - 1)
            self._give_up(now)
            if self._oldest == count and math.isinf(until):
                return
            due = meant[self._next] if self._next < count else math.inf
            self._take(min(due, until, now + _LOOK_S) - now)

    def _take(self, wait_s: float) -> None:
        """Take what has come; if nothing has, wait for it."""
        events = self._epoll.poll(0, _EVENTS_MAX)
        if not events and wait_s > 0:
            # epoll's own timeout is in whole milliseconds, rounded up.
            select.select([self._epoll], (), (), wait_s)
            events = self._epoll.poll(0, _EVENTS_MAX)
        for fd, _ in events:
            if fd in self._connecting:
                self._connected(fd)
            elif fd in self._open:
                # It may have been closed by what an event before it has led to.
                self._read(fd)

    def _leave(self, number: int) -> None:
        if self._idle:
            # The one used last: a server that closes idle connections closes the others first.
            self._send(self._idle.pop(), number)
        elif len(self._open) < self._order.connections_max:
            self._connect(number)
        else:
            self._line.append(number)

    def _send(self, fd: int, number: int) -> None:
        self._asking[fd] = number
        self._fd_of[number] = fd
        try:
            self._open[fd].send(self._requests[number % len(self._requests)])
        except OSError:
            # Closed while it was idle: the request did not get there, and goes over another one.
            del self._asking[fd]
            self._close(fd)
            self._connect(number)

    def _connect(self, number: int) -> None:
        """Open a connection for a request, which is sent when it is open."""
        opening = socket.socket()
        opening.setblocking(False)
        opening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            opening.connect(("127.0.0.1", self._order.port))
        except BlockingIOError:
            pass
        except OSError:
            opening.close()
            self._fates[number] = Fate.BROKEN
            return
        fd = opening.fileno()
        self._open[fd] = opening
        self._asking[fd] = number
        self._fd_of[number] = fd
        self._connecting.add(fd)
        self._epoll.register(fd, _CONNECTING)

    def _connected(self, fd: int) -> None:
        self._connecting.discard(fd)
        if self._open[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._gone(fd)
            return
        self._epoll.modify(fd, _READING)
        self._send(fd, self._asking[fd])

    def _read(self, fd: int) -> None:
        try:
            data = self._open[fd].recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data or fd not in self._asking:
            self._gone(fd)
            return
        if fd in self._rest:
            data = self._rest.pop(fd) + data
        heard = answer(data)
        if heard is None:
            self._rest[fd] = data
            return
        number, now = self._asking.pop(fd), _now()
        took_s = now - self._meant[number]
        if took_s > self._order.patience_s:
            self._fates[number] = Fate.LATE
        else:
            fate = judged(heard.status, heard.length, self._order.status, self._order.length)
            self._fates[number] = fate
            if fate is Fate.RIGHT:
                self._took[number] = took_s
        if heard.last:
            self._close(fd)
        else:
            self._idle.append(fd)
        self._next_in_line(now)

    def _next_in_line(self, now: float) -> None:
        """Let those in line have what has become free."""
        bound, wait_max_s = self._order.connections_max, self._order.wait_max_s
        while self._line and (self._idle or len(self._open) < bound):
            number = self._line.popleft()
            if self._meant[number] + wait_max_s <= now:
                self._fates[number] = Fate.UNSENT
            else:
                self._leave(number)

    def _give_up(self, now: float) -> None:
        """Decide about those who have lost their patience."""
        line, meant = self._line, self._meant
        while line and meant[line[0]] + self._order.wait_max_s <= now:
            self._fates[line.popleft()] = Fate.UNSENT
        while self._oldest < self._next:
            number = self._oldest
            if self._fates[number] == Fate.OPEN:
                if meant[number] + self._order.patience_s > now:
                    break
                if not self._fd_of[number]:
                    # In line, where it may stay for longer than this.
                    break
                # A caller that leaves hangs up, and the next one comes over a connection of its own.
                self._fates[number] = Fate.LATE
                del self._asking[self._fd_of[number]]
                self._close(self._fd_of[number])
                self._next_in_line(now)
            self._oldest += 1

    def _gone(self, fd: int) -> None:
        """Forget a connection that the server has closed."""
        number = self._asking.pop(fd, None)
        if number is None:
            self._idle.remove(fd)
        else:
            self._fates[number] = Fate.BROKEN
        self._close(fd)
        self._next_in_line(_now())

    def _close(self, fd: int) -> None:
        self._rest.pop(fd, None)
        self._connecting.discard(fd)
        # epoll forgets a descriptor that is closed.
        self._open.pop(fd).close()

    def _told(self, shares: list[float]) -> Arrived:
        order, loads, first = self._order, [], 0
        for load, share in zip(order.loads, shares, strict=True):
            part = slice(first, first + round(load.rate * load.seconds))
            first = part.stop
            loads.append(tally.heard(bytes(self._fates[part]), self._took[part], self._behind[part], share))
        bins = []
        if order.bin_s:
            bins = tally.course(
                [each - self.began_at for each in self._meant],
                bytes(self._fates),
                self._took,
                bin_s=order.bin_s,
                seconds=sum(load.seconds for load in order.loads),
            )
        return Arrived(loads=loads, course=bins)


def main() -> None:
    """Obey until stdin ends."""
    # Ctrl-C is for who has ordered the run: it closes stdin, or ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing here is made of cycles, and a collection would be charged to the server.
    gc.disable()
    for line in sys.stdin.buffer:
        arriving = Arriving(msgspec.json.decode(line, type=Order))
        _tell(arriving.began_at)
        _tell(arriving.run())


def _tell(told: float | Arrived) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
