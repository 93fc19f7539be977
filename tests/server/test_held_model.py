"""A held stream against a model, in any order of what can happen to it: a pair of kernel sockets with little room, and
no event loop, so that each step is taken alone."""

from __future__ import annotations

import _socket
import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.server.held import HeldBody, HeldStream
from gateway.settings.server import ServerSettings
from tests.server.holding import dechunked

BUFFER_BYTES_MAX = 30_000
KERNEL_BYTES = 4_096
LATER = 1e12


class OneConnection:
    """What a stream needs of its connection."""

    limits = ServerSettings(stream_buffer_bytes_max=BUFFER_BYTES_MAX)

    def __init__(self) -> None:
        self.ours, self.theirs = _socket.socketpair()
        self.ours.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, KERNEL_BYTES)
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.stream: Any = None
        self.flush: Callable[[], None] | None = None
        self.wakes_at = LATER

    def try_write(self, data: bytes) -> int:
        try:
            return self.ours.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close("reset")
            return -1

    def watch_writes(self, flush: Callable[[], None] | None) -> None:
        self.flush = flush

    def wake_at(self, at: float) -> None:
        self.wakes_at = at

    def release(self, reason: str) -> None:
        self.close(reason)

    def close(self, reason: str) -> None:
        self.flush = None
        self.ours.close()
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.over(reason)


class Held(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.connection = OneConnection()
        self.reasons: list[str] = []
        self.drained = 0
        body = HeldBody(lambda _: None, self.reasons.append, beat=b"beat", beat_s=10.0, last=b"last")
        self.stream = HeldStream(self.connection, body, chunked=True)  # type: ignore[arg-type]
        self.connection.stream = self.stream
        self.stream.start()
        self.stream.on_drained = self.on_drained
        self.accepted: list[bytes] = []
        self.received = b""
        self.reader_there = True
        self.ending = ""
        self.number = 0

    def teardown(self) -> None:
        self.connection.close("stopped")
        self.connection.theirs.close()
        assert len(self.reasons) == 1

    def on_drained(self) -> None:
        assert self.stream.buffered == 0
        assert not self.ending
        self.drained += 1

    @property
    def over(self) -> bool:
        return bool(self.reasons)

    @rule(size=st.sampled_from([1, 10, 500, 3_000, 20_000, 100_000]))
    def send(self, size: int) -> None:
        self.number += 1
        piece = b"%d" % self.number + b"." * size
        waited = self.stream.buffered
        was_open = self.stream.open
        if self.stream.send(piece):
            assert was_open
            self.accepted.append(piece)
        elif was_open:
            assert self.over
            # It left, or it is too slow, and only then.
            assert self.reasons == ["left"] or waited + size > BUFFER_BYTES_MAX - 20

    @rule(size=st.sampled_from([1, 700, 5_000, 100_000]))
    @precondition(lambda self: self.reader_there)
    def read(self, size: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self.received += self.connection.theirs.recv(size)

    @rule()
    @precondition(lambda self: self.connection.flush is not None)
    def room(self) -> None:
        """The loop finds that the kernel takes something, or is mistaken."""
        waited, drained = self.stream.buffered, self.drained
        assert self.connection.flush is not None
        self.connection.flush()
        emptied = waited > 0 and self.stream.buffered == 0 and not self.over
        assert self.drained == drained + emptied

    @rule()
    @precondition(lambda self: not self.over)
    def time_passes(self) -> None:
        waited = self.stream.buffered
        self.stream.due(self.connection.wakes_at)
        if waited:
            assert self.reasons == ["stalled"]
        elif not self.over:
            self.accepted.append(b"beat")

    @rule(last=st.sampled_from([b"", b"bye"]))
    def end(self, last: bytes) -> None:
        if self.stream.open:
            self.ending = "ended"
            self.accepted += [last] if last else []
        self.stream.end(last)
        assert not self.stream.open

    @rule()
    def leave(self) -> None:
        self.connection.theirs.close()
        self.reader_there = False

    @invariant()
    def what_waits_is_known_and_bounded(self) -> None:
        assert (self.stream.buffered > 0) == (self.connection.flush is not None)
        assert self.stream.buffered <= max([BUFFER_BYTES_MAX, *map(len, self.accepted)]) + 20
        assert len(self.reasons) <= 1
        if self.over:
            assert not self.stream.open
            assert self.stream.buffered == 0

    @invariant()
    def nothing_is_lost_or_told_twice(self) -> None:
        """What was received is the beginning of what was accepted; all of it, once the end has come."""
        chunks, whole = dechunked(self.received)
        assert chunks == self.accepted[: len(chunks)]
        if whole:
            assert chunks == self.accepted
            assert self.ending


TestHeld = Held.TestCase
