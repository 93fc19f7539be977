"""Held streams on real sockets: order kept, nothing unbounded, a beat in silence only, and no greenlet."""

from __future__ import annotations

import gc
import time
from itertools import pairwise

import gevent
import pytest
from greenlet import greenlet

from tests.server.holding import MUCH, Hold, Seen, dechunked, fill, holding, overfill
from tests.support.waiting import GUARD_S, until

# What goes over the wire.


def test_a_send_is_a_chunk(hold: Hold) -> None:
    with hold() as site:
        reader, seen = site.stream()
        for piece in (b"one", b"", b"two" * 10):
            assert seen.stream.send(piece)
        seen.stream.end(b"last")

        assert b"\r\nTransfer-Encoding: chunked\r\n" in reader.head + b"\r\n"
        # The connection ends with the stream: who would use it again must know.
        assert b"\r\nConnection: close" in reader.head
        assert reader.read_all() == b"3\r\none\r\n1e\r\n%b\r\n4\r\nlast\r\n0\r\n\r\n" % (b"two" * 10)


def test_old_http_is_told_by_the_end(hold: Hold) -> None:
    with hold() as site:
        reader, seen = site.stream(version="1.0")
        assert seen.stream.send(b"one")
        assert seen.stream.send(b"two")
        seen.stream.end(b"last")

        assert b"Transfer-Encoding" not in reader.head
        assert reader.read_all() == b"onetwolast"


def test_order_is_kept_however_little_the_kernel_takes(hold: Hold) -> None:
    with hold() as site:
        reader, seen = site.stream()
        sent: list[bytes] = []

        def read_slowly() -> bytes:
            return reader.read_all(700)

        reading = gevent.spawn(read_slowly)
        for number in range(2_000):
            sent.append(b"%d " % number * (number % 97 + 1))
            assert seen.stream.send(sent[-1])
            if seen.stream.buffered > 50_000:
                until("room", lambda: seen.stream.buffered < 50_000)
        seen.stream.end(b"last")

        reading.join(GUARD_S)
        assert dechunked(reading.get()) == ([*sent, b"last"], True)
        assert seen.wait_over() == ["ended"]


def test_an_end_waits_for_what_waits(hold: Hold) -> None:
    with hold() as site:
        reader, seen = site.stream()
        fill(seen.stream)
        seen.stream.end(b"last", "draining")
        assert (seen.reasons, seen.stream.send(b"late"), seen.stream.open) == ([], False, False)
        seen.stream.end(b"again")
        site.server.drain(time.monotonic())

        chunks, whole = dechunked(reader.read_all())
        assert (chunks, whole) == ([MUCH, b"last"], True)
        assert seen.wait_over() == ["draining"]


def test_what_waits_is_bounded(hold: Hold) -> None:
    with hold(stream_buffer_bytes_max=220_000) as site:
        reader, seen = site.stream()
        fill(seen.stream)

        assert 218_000 < overfill(seen.stream) <= 220_000
        assert (seen.reasons, seen.stream.buffered) == (["slow_reader"], 0)
        assert not dechunked(reader.read_all())[1], "a stream that was broken off looks whole"


def test_a_piece_that_nothing_waits_before_is_taken_whatever_its_size(hold: Hold) -> None:
    """Else a reader who is fast enough could not be sent it, however often it came back."""
    with hold(stream_buffer_bytes_max=20_000) as site:
        reader, seen = site.stream()
        large = bytes(1_000_000)
        assert seen.stream.send(large)
        assert seen.stream.buffered
        seen.stream.end()

        assert dechunked(reader.read_all()) == ([large], True)


# Beats.


def test_a_beat_comes_in_silence_only() -> None:
    beat_s = 0.3
    with holding() as site:
        site.options = {"beat": b"beat", "beat_s": beat_s}
        reader, seen = site.stream()
        seen.stream.send(b"word")
        silent_since = time.monotonic()
        for number in range(1, 4):
            until_now = dechunked(reader.read_until(b"beat" + b"\r\n4\r\nbeat" * (number - 1)))[0]
            heard_at = time.monotonic()
            assert until_now == [b"word"] + [b"beat"] * number
            assert heard_at - silent_since >= beat_s - 0.01
            silent_since = heard_at


def test_a_word_puts_the_beat_off() -> None:
    """For five times as long as a beat is due, the application speaks more often than that."""
    beat_s = 0.3
    with holding() as site:
        site.options = {"beat": b"beat", "beat_s": beat_s}
        reader, seen = site.stream()
        late = False
        spoken_at = began = time.monotonic()
        while time.monotonic() < began + 5 * beat_s and not late:
            gevent.sleep(beat_s / 10)
            # A machine that stands still for so long owes a beat.
            late = time.monotonic() - spoken_at >= beat_s
            seen.stream.send(b"word")
            spoken_at = time.monotonic()
        seen.stream.end()

        assert late or b"beat" not in reader.read_all()


def test_no_beat_waits_for_a_reader_that_does_not_read() -> None:
    with holding(write_timeout_s=1.0) as site:
        site.options = {"beat": b"beat", "beat_s": 0.1}
        reader, seen = site.stream()
        fill(seen.stream)
        waiting = seen.stream.buffered

        while not seen.reasons:
            assert seen.stream.buffered <= waiting
            gevent.sleep(0.05)
        assert seen.reasons == ["stalled"]
        assert b"beat" not in reader.read_all()


# Who may send, and when.


def test_anybody_may_send(hold: Hold) -> None:
    """From the hub, from any greenlet, and from inside what the server calls."""
    with hold() as site:

        def prepare(seen: Seen) -> None:
            seen.on_opened = lambda stream: None if stream.send(b"opened ") else pytest.fail("not open")

        site.prepare = prepare
        reader, seen = site.stream()
        stream = seen.stream
        gevent.get_hub().loop.run_callback(stream.send, b"hub ")
        reader.read_until(b"hub ")
        gevent.spawn(stream.send, b"greenlet ").get(timeout=GUARD_S)
        stream.on_drained = lambda: stream.end(b"drained")
        fill(stream)

        chunks, whole = dechunked(reader.read_all())
        assert (chunks[:3], chunks[-1], whole) == ([b"opened ", b"hub ", b"greenlet "], b"drained", True)
        assert seen.wait_over() == ["ended"]


def test_drained_is_told_each_time(hold: Hold) -> None:
    with hold() as site:
        reader, seen = site.stream()
        stream = seen.stream
        rounds = 0

        def drained() -> None:
            nonlocal rounds
            assert stream.buffered == 0
            rounds += 1
            if rounds < 5:
                fill(stream)
            else:
                stream.end(b"last")

        stream.on_drained = drained
        fill(stream)

        assert dechunked(reader.read_all())[1]
        assert rounds == 5


def test_a_stream_may_end_as_soon_as_it_is_open(hold: Hold) -> None:
    with hold() as site:

        def prepare(seen: Seen) -> None:
            seen.on_opened = lambda stream: stream.end(b"no")

        site.prepare = prepare
        reader, seen = site.stream()

        assert dechunked(reader.read_all()) == ([b"no"], True)
        assert seen.wait_over() == ["ended"]


def test_one_that_is_over_may_tell_the_others(hold: Hold) -> None:
    """``closed`` sends to another stream, which its reader has left too, and so on down the row."""
    with hold() as site:
        pairs = [site.stream() for _ in range(5)]
        for (_, seen), (_, other) in pairwise(pairs):
            seen.on_closed = lambda _, other=other: other.stream.end()
        pairs[0][1].stream.end()

        for reader, seen in pairs:
            assert dechunked(reader.read_all()) == ([], True)
            assert seen.wait_over() == ["ended"]


def test_one_event_reaches_all_in_one_pass(hold: Hold) -> None:
    with hold() as site:
        pairs = [site.stream() for _ in range(100)]

        def tell_all() -> None:
            for _, seen in pairs:
                seen.stream.send(b"news")

        gevent.get_hub().loop.run_callback(tell_all)
        for reader, _ in pairs:
            assert dechunked(reader.read_until(b"news\r\n")) == ([b"news"], False)


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())


def test_a_stream_has_no_greenlet(hold: Hold) -> None:
    with hold() as site:
        site.stream()
        before = greenlets()
        for _ in range(50):
            site.stream()

        assert len(site.seen) == 51
        assert greenlets() <= before
