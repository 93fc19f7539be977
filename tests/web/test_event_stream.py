"""The body that waits: it sleeps while nothing happens, and asks again by itself when its store was away."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from gateway.domain.errors import StoreUnavailable
from gateway.web.chat import _bound_writes
from gateway.web.event_stream import EventStream, event, retry

BEAT = event("beat", {})


class Scripted:
    """A source that follows a script: bytes to send, or what to raise."""

    more = False

    def __init__(self, *steps: bytes | Callable[[], bytes]) -> None:
        self.steps = list(steps)
        self.asked = 0
        self.ended = ""
        self.closed: list[str] = []

    def next(self) -> bytes:
        self.asked += 1
        step = self.steps.pop(0) if self.steps else b""
        return step if isinstance(step, bytes) else step()

    def last(self) -> bytes:
        return b"last"

    def close(self, reason: str) -> None:
        self.closed.append(reason)


def stream_of(source: Scripted, woken: Event, *, beat_s: float = 60, age_max_s: float = 60) -> EventStream:
    return EventStream(source, woken, first=b"first", beat=BEAT, beat_s=beat_s, age_max_s=age_max_s)


def away() -> bytes:
    raise StoreUnavailable("PostgreSQL is away", reason="postgres_unreachable", retry_after_s=1)


def test_events_are_written_as_the_format_wants_them() -> None:
    """A line break in a text is an escape in the JSON, never one in the stream."""
    assert event("turn", {"text": "a\nb\r\u2028"}, seq=7) == (
        'event: turn\nid: 7\ndata: {"text":"a\\nb\\r\u2028"}\n\n'.encode()
    )
    assert retry(1000) == b"retry: 1000\n\n"


def test_it_begins_and_goes_on_without_being_woken() -> None:
    stream = stream_of(Scripted(b"one", b"two"), Event())

    assert [next(stream) for _ in range(3)] == [b"first", b"one", b"two"]


def test_it_sleeps_until_it_is_woken() -> None:
    """One look a wake: an idle stream that looks on its own accord would burn the processor."""
    source, woken = Scripted(b"one"), Event()
    stream = stream_of(source, woken)
    assert [next(stream), next(stream)] == [b"first", b"one"]
    waiting = gevent.spawn(next, stream)
    gevent.idle()
    source.steps.append(b"two")
    gevent.idle()
    assert (source.asked, waiting.ready()) == (2, False)

    woken.set()
    assert waiting.get(timeout=5) == b"two"
    assert source.asked == 3


def test_what_happens_during_a_look_is_not_missed() -> None:
    woken = Event()

    def wake_meanwhile() -> bytes:
        woken.set()
        return b""

    stream = stream_of(Scripted(wake_meanwhile, b"seen"), woken)
    next(stream)

    assert gevent.spawn(next, stream).get(timeout=5) == b"seen"


def test_a_store_that_was_away_is_asked_again_without_any_wake() -> None:
    stream = stream_of(Scripted(away, b"back"), Event())
    next(stream)

    assert gevent.spawn(next, stream).get(timeout=10) == b"back"


def test_a_store_that_stays_away_does_not_stop_the_beats() -> None:
    stream = stream_of(Scripted(*[away] * 10), Event(), beat_s=0.01)
    next(stream)

    assert gevent.spawn(next, stream).get(timeout=10) == BEAT


@pytest.mark.parametrize("reason", ["draining", "displaced"])
def test_it_ends_with_the_last_word_and_says_why(reason: str) -> None:
    source = Scripted()
    stream = stream_of(source, Event())
    source.ended = reason

    assert list(stream) == [b"first", b"last"]
    stream.close()
    assert source.closed == [reason]


def test_one_that_was_never_begun_gives_its_place_back_too() -> None:
    """A server closes a body that it never read, which would not run a generator's ``finally``."""
    source = Scripted()
    stream_of(source, Event()).close()

    assert source.closed == ["left"]


def test_a_write_that_its_reader_does_not_take_ends() -> None:
    """gunicorn writes without a limit: a page that stops reading would hold its place until TCP gives up."""
    server, page = socket.socketpair()
    with server, page:
        _bound_writes({"gunicorn.socket": server}, 0.05)

        with pytest.raises(TimeoutError):
            server.sendall(bytes(50_000_000))


def test_without_gunicorn_there_is_nothing_to_bound() -> None:
    """The page runs under any WSGI server."""
    _bound_writes({}, 0.05)
