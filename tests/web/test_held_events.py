"""A stream's source behind both servers: the one that holds streams, and one that gives each a greenlet."""

from __future__ import annotations

import _socket
import gc
import http.client
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.pywsgi import WSGIServer

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.server.forwarded import TrustedPeers
from gateway.server.server import Server
from gateway.settings.server import ServerSettings
from gateway.web.event_stream import event
from gateway.web.held_events import HeldEvents, Lookouts, open_stream
from tests.support.waiting import GUARD_S, until

BEAT = event("beat", {})
#: More than two kernels take from one who does not read.
LARGE = bytes(8_000_000)


@pytest.fixture(autouse=True)
def _strict_telemetry() -> Iterator[None]:
    with telemetry.strict():
        yield


class Scripted:
    """A source that follows a script: bytes to send, or a function that returns them or raises."""

    def __init__(self, *steps: bytes | Callable[[], bytes]) -> None:
        self.steps = list(steps)
        self.more = False
        self.ended = ""
        self.asked = 0
        self.reasons: list[str] = []
        self.wake: Callable[[], None] = lambda: None
        self._over = Event()
        self._idle = Event()

    def next(self) -> bytes:
        self.asked += 1
        if not self.steps:
            self._idle.set()
            return b""
        step = self.steps.pop(0)
        return step if isinstance(step, bytes) else step()

    def last(self) -> bytes:
        return b"last"

    def close(self, reason: str) -> None:
        self.reasons.append(reason)
        self._over.set()

    def say(self, *steps: bytes | Callable[[], bytes]) -> None:
        self.steps += steps
        self.wake()

    def end(self, reason: str) -> None:
        self.ended = reason
        self.wake()

    def wait_idle(self) -> int:
        """Return how often it was asked, once it had nothing to say."""
        assert self._idle.wait(GUARD_S)
        return self.asked

    def wait_over(self) -> list[str]:
        assert self._over.wait(GUARD_S)
        return self.reasons


class Site:
    """A server whose requests each get the next of ``sources``."""

    def __init__(self, *, held: bool) -> None:
        self.sources: list[Scripted] = []
        self.lookouts = Lookouts(at_once_max=4)
        self.beat_s = self.age_max_s = 3_600.0
        listener = _socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        self._port = listener.getsockname()[1]
        self._readers: list[http.client.HTTPConnection] = []
        if held:
            server = Server(self._wsgi, ServerSettings(), trusted=TrustedPeers(""))
            server.listen(listener)
            self._stop = server.stop
        else:
            plain = WSGIServer(socket.socket(fileno=listener.detach()), self._wsgi, log=None, error_log=None)
            plain.start()
            self._stop = lambda: plain.stop(timeout=1)

    def open(self, source: Scripted) -> http.client.HTTPResponse:
        """Return the stream of *source*."""
        self.sources.append(source)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=GUARD_S)
        self._readers.append(connection)
        connection.request("GET", "/")
        return connection.getresponse()

    def close(self) -> None:
        for source in self.sources:
            source.end("over")
        self._stop()
        for reader in self._readers:
            reader.close()

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        source = self.sources[-1]

        def begin(wake: Callable[[], None]) -> Scripted:
            source.wake = wake
            return source

        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return open_stream(
            environ,
            self.lookouts,
            begin,
            first=b"first",
            last=b"last",
            beat=BEAT,
            beat_s=self.beat_s,
            age_max_s=self.age_max_s,
        )


@pytest.fixture(params=["held", "plain"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    running = Site(held=request.param == "held")
    yield running
    running.close()


@pytest.fixture
def held() -> Iterator[Site]:
    running = Site(held=True)
    yield running
    running.close()


def away() -> bytes:
    raise StoreUnavailable("PostgreSQL is away", reason="postgres_unreachable", retry_after_s=1)


# On both servers.


def test_it_begins_and_goes_on_without_being_woken(site: Site) -> None:
    stream = site.open(Scripted(b"one", b"two"))

    assert stream.read(11) == b"firstonetwo"


def test_one_look_a_wake(site: Site) -> None:
    """An idle stream that looks on its own accord would burn the processor."""
    source = Scripted(b"one")
    stream = site.open(source)
    assert stream.read(8) == b"firstone"
    asked = source.wait_idle()
    gevent.idle()
    assert source.asked == asked == 2
    source.say(b"two")

    assert stream.read(3) == b"two"


def test_what_happens_during_a_look_is_not_missed(site: Site) -> None:
    source = Scripted()

    def wake_meanwhile() -> bytes:
        source.say(b"seen")
        gevent.idle()
        return b""

    source.steps.append(wake_meanwhile)

    assert site.open(source).read(9) == b"firstseen"


def test_a_source_that_has_more_is_asked_again(site: Site) -> None:
    source = Scripted()

    def the_rest() -> bytes:
        source.more = False
        return b"more"

    source.more = True
    source.steps += [b"", the_rest]

    assert site.open(source).read(9) == b"firstmore"


def test_a_store_that_was_away_is_asked_again_after_a_second(site: Site) -> None:
    source = Scripted(away, b"back")
    stream = site.open(source)
    assert stream.read(5) == b"first"
    began = time.monotonic()

    assert stream.read(4) == b"back"
    assert time.monotonic() - began > 0.5


def test_a_store_that_stays_away_does_not_stop_the_beats(site: Site) -> None:
    site.beat_s = 0.1
    stream = site.open(Scripted(*[away] * 100))

    assert stream.read(5 + 2 * len(BEAT)) == b"first" + 2 * BEAT


@pytest.mark.parametrize("reason", ["draining", "displaced"])
def test_it_ends_with_the_last_word_and_says_why(site: Site, reason: str) -> None:
    source = Scripted()
    stream = site.open(source)
    source.wait_idle()
    source.end(reason)

    assert stream.read() == b"firstlast"
    assert source.wait_over() == [reason]


def test_it_may_end_before_it_is_open(site: Site) -> None:
    source = Scripted(b"news that nobody wants")
    source.ended = "displaced"

    assert site.open(source).read() == b"firstlast"
    assert source.wait_over() == ["displaced"]


def test_an_old_one_ends(site: Site) -> None:
    site.age_max_s = 0.1
    source = Scripted()

    assert site.open(source).read() == b"firstlast"
    assert source.wait_over() == ["age"]


# Where it is held.


def test_a_store_that_is_away_is_not_asked_more_often_for_being_woken(held: Site) -> None:
    source = Scripted(away, b"back")
    stream = held.open(source)
    until("the store's absence", lambda: held.lookouts._later)
    for _ in range(100):
        source.wake()
        gevent.idle()
    assert source.asked == 1

    assert stream.read(9) == b"firstback"


def test_an_end_does_not_wait_for_the_store(held: Site) -> None:
    """All lookouts stand before a store that does not answer; it is not needed for saying good-bye."""
    store = Event()

    def hangs() -> bytes:
        store.wait(GUARD_S)
        return b"late"

    sources = [Scripted(hangs) for _ in range(6)]
    streams = [held.open(source) for source in sources]
    until("busy lookouts", lambda: (held.lookouts._busy, len(held.lookouts._waiting)) == (4, 2))
    for source, stream in zip(sources, streams, strict=True):
        source.end("draining")
        assert stream.read() == b"firstlast"
    store.set()
    until("lookouts at rest", lambda: held.lookouts._busy == 0)

    assert [source.reasons for source in sources] == [["draining"]] * 6
    assert [source.asked for source in sources] == [1] * 4 + [0] * 2


def test_streams_that_are_woken_together_are_asked_a_few_at_a_time(held: Site) -> None:
    """A wake for all must not be as many reads, nor as many greenlets, at one instant."""
    asking = most = 0

    def ask() -> bytes:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        gevent.idle()
        asking -= 1
        return b"news"

    sources = [Scripted() for _ in range(20)]
    streams = [held.open(source) for source in sources]
    for source in sources:
        source.wait_idle()
    for source in sources:
        source.say(ask)

    assert [stream.read(9) for stream in streams] == [b"firstnews"] * 20
    assert most == 4
    until("lookouts at rest", lambda: held.lookouts._busy == 0)


def test_many_wakes_are_one(held: Site) -> None:
    source = Scripted()
    stream = held.open(source)
    asked = source.wait_idle()
    source.steps.append(b"news")
    for _ in range(1_000):
        source.wake()

    assert stream.read(9) == b"firstnews"
    until("lookouts at rest", lambda: held.lookouts._busy == 0)
    # The news, and that there is no more.
    assert source.asked == asked + 2


def test_a_source_is_not_asked_while_its_reader_is_behind(held: Site) -> None:
    """What is new stays where it is, in the ledger; the reader's own reading has it asked again."""
    source = Scripted(LARGE, b"next")
    stream = held.open(source)
    assert stream.read(6) == b"first\0"
    until("lookouts at rest", lambda: held.lookouts._busy == 0)
    source.wake()
    assert held.lookouts._busy == 0, "a lookout comes for nothing"
    gevent.idle()
    assert source.asked == 1

    assert stream.read(len(LARGE) + 3) == LARGE[1:] + b"next"


def test_an_end_comes_behind_what_a_reader_has_still_to_take(held: Site) -> None:
    source = Scripted(LARGE)
    stream = held.open(source)
    assert stream.read(6) == b"first\0"
    source.end("displaced")

    assert stream.read() == LARGE[1:] + b"last"
    assert source.wait_over() == ["displaced"]


def test_a_reader_that_leaves_is_noticed_without_any_beat(held: Site) -> None:
    source = Scripted()
    stream = held.open(source)
    source.wait_idle()
    held._readers[0].close()
    stream.close()

    assert source.wait_over() == ["left"]


def test_one_that_left_while_its_store_was_away_is_forgotten(held: Site) -> None:
    source = Scripted(away)
    stream = held.open(source)
    until("the store's absence", lambda: held.lookouts._later)
    held._readers[0].close()
    stream.close()
    assert source.wait_over() == ["left"]
    until("another try", lambda: not held.lookouts._later and not held.lookouts._busy)

    assert source.asked == 1


def fails() -> bytes:
    raise LookupError("our own fault")


def test_a_source_that_fails_loses_its_stream_and_no_other(held: Site) -> None:
    broken, sound = Scripted(fails), Scripted()
    stream, other = held.open(broken), held.open(sound)

    assert stream.read() == b"first"
    assert broken.wait_over() == ["crashed"]
    sound.say(b"sound")
    assert other.read(10) == b"firstsound"


def _all_events() -> list[HeldEvents]:
    return [each for each in gc.get_objects() if isinstance(each, HeldEvents)]


def test_nothing_of_a_stream_is_left_for_the_collector(held: Site) -> None:
    """Pages come and go all day; what they leave behind is to be gone with them."""
    others = _all_events()
    gc.disable()
    try:
        source = Scripted()
        stream = held.open(source)
        source.wait_idle()
        held._readers[0].close()
        stream.close()
        source.wait_over()
        until("lookouts at rest", lambda: held.lookouts._busy == 0)
        assert not [
            each for each in gc.get_objects() if isinstance(each, HeldEvents) and each.source is source
        ]
        source.wake = lambda: None
        assert [each for each in _all_events() if each not in others] == []
    finally:
        gc.enable()
