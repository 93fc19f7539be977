"""Held streams end in many ways: each is told once, at once, and harms nobody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest

from tests.server.holding import MUCH, Hold, Reader, Seen, crashes, dechunked, fill, overfill
from tests.support.waiting import GUARD_S, until

#: Nothing is sent by the server itself within a test, unless the test is about that.
NEVER_S = 3_600.0


def left(reader: Reader, _: Seen) -> None:
    reader.close()


def was_reset(reader: Reader, _: Seen) -> None:
    reader.reset()


def said_all(reader: Reader, _: Seen) -> None:
    # Below TLS too: a bare FIN is all that many readers send.
    socket.socket.shutdown(reader.sock, socket.SHUT_WR)


def spoke(reader: Reader, _: Seen) -> None:
    reader.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")


def ended(_: Reader, seen: Seen) -> None:
    seen.stream.end(b"bye")


def ended_for_a_reason(_: Reader, seen: Seen) -> None:
    seen.stream.end(b"", "displaced")


def does_not_read(_: Reader, seen: Seen) -> None:
    overfill(seen.stream)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (left, "left"),
        (was_reset, "left"),
        (said_all, "left"),
        (spoke, "spoke"),
        (ended, "ended"),
        (ended_for_a_reason, "displaced"),
        (does_not_read, "slow_reader"),
    ],
)
def test_every_ending_is_told_once_and_without_a_write(
    hold: Hold, act: Callable[[Reader, Seen], None], reason: str
) -> None:
    """No beat comes that could find it out: the watcher does."""
    with hold() as site:
        site.options = {"beat": b"beat", "beat_s": NEVER_S}
        reader, seen = site.stream()
        act(reader, seen)

        assert seen.wait_over() == [reason]
        assert not seen.stream.open
        assert not seen.stream.send(b"late")
        seen.stream.end(b"late")
        reader.close()
        until("the end of the connection", lambda: not site.server.connections)
        assert (len(seen.streams), seen.reasons) == (1, [reason])
        assert site.server.wheel.watched == 0


def test_a_reader_that_takes_nothing_is_let_go(hold: Hold) -> None:
    """No beat and no age would ever have it looked at again."""
    with hold(write_timeout_s=0.3) as site:
        _, seen = site.stream()
        fill(seen.stream)

        assert seen.wait_over() == ["stalled"]


def test_a_reader_that_takes_something_is_waited_for(hold: Hold) -> None:
    """Over TLS it must take a few records in that time, which are encrypted as one."""
    with hold(write_timeout_s=1.0) as site:
        reader, seen = site.stream()
        fill(seen.stream)
        seen.stream.end()
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            reader.body += reader.sock.recv(5_000)
            gevent.sleep(0.05)

        assert dechunked(reader.read_all()) == ([MUCH], True)
        assert seen.wait_over() == ["ended"]


def test_a_reader_that_takes_little_does_not_outlive_the_streams_age(hold: Hold) -> None:
    """It would take minutes over this, and is never still for long enough to be let go for that."""
    with hold(write_timeout_s=0.5) as site:
        site.options = {"age_max_s": 0.2}
        reader, seen = site.stream()
        seen.stream.send(bytes(20_000_000))

        def read_on() -> None:
            while reader.sock.recv(3_000):
                gevent.sleep(0.01)

        reading = gevent.spawn(read_on)
        assert seen.wait_over() == ["stalled"]
        reading.kill()


def test_an_old_stream_ends_with_the_last_word(hold: Hold) -> None:
    with hold() as site:
        site.options = {"age_max_s": 0.1, "last": b"come back"}
        reader, seen = site.stream()

        assert dechunked(reader.read_all()) == ([b"come back"], True)
        assert seen.wait_over() == ["age"]


def test_a_stopping_process_ends_streams_with_the_last_word(hold: Hold) -> None:
    with hold() as site:
        site.options = {"last": b"come back"}
        reader, seen = site.stream()
        stopping = gevent.spawn(site.server.drain, time.monotonic() + GUARD_S)

        assert dechunked(reader.read_all()) == ([b"come back"], True)
        assert seen.wait_over() == ["draining"]
        reader.close()
        stopping.get(timeout=GUARD_S)


def test_a_process_does_not_wait_for_one_who_does_not_read(hold: Hold) -> None:
    with hold() as site:
        _, seen = site.stream()
        fill(seen.stream)
        site.server.drain(time.monotonic() + 0.1)
        assert seen.reasons == []
        site.server.stop()

        assert seen.reasons == ["stopped"]


def test_head_has_no_stream(hold: Hold) -> None:
    with hold() as site:
        reader = site.reader("HEAD")
        assert reader.read_head().startswith(b"HTTP/1.1 200 OK\r\n")

        assert site.seen[0].wait_over() == ["absent"]
        assert site.seen[0].streams == []


def test_a_request_behind_a_stream_is_not_left_waiting(hold: Hold) -> None:
    """It came with the stream's own, and is never answered."""
    with hold() as site:
        reader = site.reader(version="1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1")
        reader.read_head()
        reader.read_all()

        assert site.seen[0].wait_over() == ["spoke"]
        assert site.seen[0].streams == []


# Applications that do it wrong.


class Wrapped:
    """What a careless middleware makes of a body."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)


def in_a_generator(body: Iterable[bytes]) -> Iterator[bytes]:
    yield from body


@pytest.mark.parametrize("middleware", [Wrapped, in_a_generator, list])
def test_a_wrapped_stream_is_a_clear_error(hold: Hold, middleware: Any) -> None:
    """And its place is given back."""
    with hold() as site, crashes() as told:
        site.middleware = middleware
        reader = site.reader()

        assert reader.read_head().startswith(b"HTTP/1.1 500 ")
        assert site.seen[0].wait_over() == ["absent"]
        assert site.seen[0].streams == []
        assert [crash["reason"] for crash in told.told] == ["TypeError"]
        assert "held.py" in told.told[0]["detail"]


def test_a_body_that_nobody_used_is_over_when_it_is_closed(hold: Hold) -> None:
    with hold() as site:
        site.middleware = lambda body: (body.close(), b"something else")[1:]  # type: ignore[attr-defined]
        reader = site.reader()
        reader.read_head()

        assert reader.read_until(b"something else")
        assert site.seen[0].wait_over() == ["absent"]


def fail(*_: object) -> None:
    raise LookupError("the application's own")


def test_an_application_that_fails_to_open_loses_the_stream(hold: Hold) -> None:
    with hold() as site, crashes() as told:
        site.prepare = lambda seen: setattr(seen, "on_opened", fail)
        reader = site.reader()
        reader.read_head()

        assert site.seen[0].wait_over() == ["crashed"]
        assert not dechunked(reader.read_all())[1]
        assert [(crash["route"], crash["reason"]) for crash in told.told] == [("stream", "LookupError")]


def test_an_application_that_fails_to_go_on_loses_the_stream(hold: Hold) -> None:
    with hold() as site, crashes() as told:
        reader, seen = site.stream()
        seen.stream.on_drained = fail
        fill(seen.stream)
        reader.read_all()

        assert seen.wait_over() == ["crashed"]
        assert len(told.told) == 1


def test_one_that_fails_at_the_end_harms_no_other(hold: Hold) -> None:
    """Neither who sends to it, nor those whose deadline comes at the same moment."""
    with hold() as site, crashes() as told:
        site.options = {"age_max_s": 0.1, "last": b"come back"}
        site.prepare = lambda seen: setattr(seen, "on_closed", fail)
        readers = [site.reader() for _ in range(5)]
        for reader in readers:
            reader.read_head()
            assert dechunked(reader.read_all()) == ([b"come back"], True)

        assert [seen.wait_over() for seen in site.seen] == [["age"]] * 5
        assert len(told.told) == 5
