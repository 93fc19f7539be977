"""Hints through Redis: heard by those they are for, said once, and never a reason to wait or to fail."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import gevent
import msgspec
import pytest
import redis
from gevent import Greenlet
from gevent.event import Event as Signal
from gevent.server import StreamServer

from gateway import telemetry
from gateway.domain import hint as hints
from gateway.domain.errors import StoreUnavailable
from gateway.domain.hint import Hint
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.signals import Audience, Signals
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.support.stores import Stores, own_stores
from tests.support.waiting import GUARD_S, until


class Process:
    """One process's signals, with what it heard."""

    def __init__(self, url: str, audience: Audience = "gateways", **how: float) -> None:
        self.heard: list[Hint] = []
        settings = StoreSettings(redis_url=Secret(url), redis_timeout_s=0.5)
        self.signals = Signals(settings, audience=audience, on_hint=self.heard.append, **how)
        self._greenlets: list[Greenlet] = []

    def start(self) -> None:
        self._greenlets = [
            gevent.spawn(self.signals.publish_forever),
            gevent.spawn(self.signals.listen_forever),
        ]

    def stop(self) -> None:
        gevent.killall(self._greenlets)
        self.signals.close()


@contextlib.contextmanager
def process(url: str, audience: Audience = "gateways", **how: float) -> Iterator[Process]:
    running = Process(url, audience, **how)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


class Missed:
    """Counts how often Redis was missed: outages, and tries that failed."""

    def __init__(self) -> None:
        self.times = 0
        self.tries = 0

    def writer(self, event: Event) -> Writer | None:
        return {"redis.unavailable": self._count, "redis.missed": self._count_try}.get(event.name)

    def _count(self, fields: dict[str, Any]) -> None:
        self.times += 1

    def _count_try(self, fields: dict[str, Any]) -> None:
        self.tries += 1


@pytest.fixture
def missed() -> Iterator[Missed]:
    missed = Missed()
    telemetry.attach(missed)
    yield missed
    telemetry.detach(missed)


def listening(client: redis.Redis, audience: str, count: int) -> None:
    until(
        f"{count} to listen",
        lambda: (
            client.pubsub_numsub(f"switchboard:{audience}") == [(f"switchboard:{audience}".encode(), count)]
        ),
    )


class Line:
    """Forwards connections to Redis, until those that are there fall silent: nothing comes through, or is closed."""

    def __init__(self, url: str) -> None:
        self._path = unquote(urlsplit(url).path)
        self._pumps: list[Greenlet] = []
        self._cut = Signal()
        self._server = StreamServer(("127.0.0.1", 0), self._take)
        self._server.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.server_port}"

    def fall_silent(self) -> None:
        gevent.killall(self._pumps)

    def stop(self) -> None:
        self.fall_silent()
        self._cut.set()
        self._server.stop()

    def _take(self, near: socket.socket, address: object) -> None:
        with socket.socket(socket.AF_UNIX) as far:
            far.connect(self._path)
            self._pumps += [gevent.spawn(_pump, near, far), gevent.spawn(_pump, far, near)]
            self._cut.wait()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(65_536):
        sink.sendall(data)


EVERY = [
    hints.Accepted(1, 2),
    hints.Settled(1, 2, 3),
    hints.Previewed(1, 2, msgspec.Raw(b'{"kind":"delta","text":"hi"}'), 7, 1),
    hints.Handed(1, 2),
    hints.Orphans(),
    hints.PartitionsFree(),
]


def test_every_hint_arrives_whole_and_in_order(redis_url: str, client: redis.Redis) -> None:
    with process(redis_url) as one, process(redis_url) as other:
        listening(client, "gateways", 2)
        for hint in EVERY:
            one.signals.publish("gateways", hint)
        until("all hints", lambda: len(other.heard) == len(EVERY))
        assert [msgspec.json.encode(hint) for hint in other.heard] == [
            msgspec.json.encode(hint) for hint in EVERY
        ]
        until("its own as well", lambda: len(one.heard) == len(EVERY))


def test_a_hint_is_for_its_audience(redis_url: str, client: redis.Redis) -> None:
    with process(redis_url) as gateway, process(redis_url, "workers") as worker:
        listening(client, "gateways", 1)
        listening(client, "workers", 1)
        gateway.signals.publish("workers", hints.PartitionsFree())
        gateway.signals.publish("gateways", hints.Orphans())
        until("both", lambda: worker.heard and gateway.heard)
        assert (worker.heard, gateway.heard) == ([hints.PartitionsFree()], [hints.Orphans()])


def test_a_hint_that_waits_already_is_not_said_twice(redis_url: str, client: redis.Redis) -> None:
    """Law: "look at the outbox" said a thousand times is one look."""
    speaker = Process(redis_url)
    with process(redis_url) as listener:
        listening(client, "gateways", 1)
        for _ in range(1_000):
            speaker.signals.publish("gateways", hints.PartitionsFree())
        speaker.signals.publish("gateways", hints.Orphans())
        assert speaker.signals.flush()
        until("the last one", lambda: hints.Orphans() in listener.heard)
        assert listener.heard == [hints.PartitionsFree(), hints.Orphans()]
    speaker.stop()


def test_what_waits_is_bounded() -> None:
    speaker = Process("redis://127.0.0.1:1")
    for number in range(20_000):
        speaker.signals.publish("gateways", hints.Accepted(number, 1))
    assert len(speaker.signals._waiting) == 10_000
    speaker.stop()


@pytest.mark.parametrize("strange", [b"no json", b'{"type": "unheard_of"}', b'{"type": "settled"}', b"\xff"])
def test_what_is_not_understood_is_passed_over(redis_url: str, client: redis.Redis, strange: bytes) -> None:
    """Law: a newer process may say something new; the poll finds what matters."""
    with process(redis_url) as listener:
        listening(client, "gateways", 1)
        client.publish("switchboard:gateways", strange)
        client.publish("switchboard:gateways", msgspec.json.encode(hints.Orphans()))
        until("the next one", lambda: listener.heard)
        assert listener.heard == [hints.Orphans()]


def test_a_pause_between_hints_does_not_end_the_listening(redis_url: str, client: redis.Redis) -> None:
    """Law: the blocking read outlasts a command's timeout; silence is no failure."""
    with process(redis_url) as listener:
        listening(client, "gateways", 1)
        connected = {entry["id"] for entry in client.client_list(_type="pubsub")}
        gevent.sleep(1.2)  # Longer than redis_timeout_s: the one thing here that can only be waited for.
        assert {entry["id"] for entry in client.client_list(_type="pubsub")} == connected
        client.publish("switchboard:gateways", msgspec.json.encode(hints.Orphans()))
        until("the hint", lambda: listener.heard)


def test_a_silence_that_is_too_long_is_asked_about(
    redis_url: str, client: redis.Redis, missed: Missed
) -> None:
    """Law: a machine that is gone closes no connection; whoever listens there would listen for ever."""
    line = Line(redis_url)
    with process(line.url, listen_s=0.2) as listener:
        listening(client, "gateways", 1)
        # Longer than it takes to ask twice: whoever answers is not left.
        gevent.sleep(1.0)
        assert missed.times == 0
        line.fall_silent()
        until("the silence to be noticed", lambda: missed.times)
        listening(client, "gateways", 2)
        client.publish("switchboard:gateways", msgspec.json.encode(hints.Orphans()))
        until("the hint", lambda: listener.heard)
    line.stop()


def test_a_listener_whose_connection_was_cut_listens_again(
    redis_url: str, client: redis.Redis, missed: Missed
) -> None:
    with process(redis_url) as listener:
        listening(client, "gateways", 1)
        client.client_kill_filter(_type="pubsub")
        until("the loss to be noticed", lambda: missed.times)
        listening(client, "gateways", 1)
        client.publish("switchboard:gateways", msgspec.json.encode(hints.Orphans()))
        until("the hint", lambda: listener.heard)


def test_without_redis_publishing_neither_waits_nor_fails(missed: Missed) -> None:
    """Law: fail-open.  What was to be said is dropped, and found by polls."""
    with process("redis://127.0.0.1:1") as speaker:
        started = time.monotonic()
        for number in range(1_000):
            speaker.signals.publish("gateways", hints.Accepted(number, 1))
        assert time.monotonic() - started < 1
        until("all to be dropped", lambda: not speaker.signals._waiting)
        until("Redis to be missed", lambda: missed.times)
        tries = missed.tries
        for _ in range(2):
            speaker.signals.publish("gateways", hints.Orphans())
            assert speaker.signals.flush() is False
        assert missed.times == 1, "it is said once, not with every hint"
        assert missed.tries >= tries + 2, "an alert must see that it lasts"
        with pytest.raises(StoreUnavailable, match=r"store\.redis_url"):
            speaker.signals.ping()


def test_closing_is_safe_twice_and_if_never_used() -> None:
    speaker = Process("redis://127.0.0.1:1")
    speaker.signals.close()
    speaker.signals.close()


@pytest.mark.slow
def test_redis_goes_and_comes_back(missed: Missed) -> None:
    """Law: nobody is told to start again; speaking and listening find each other by themselves."""
    with own_stores() as stores, process(stores.redis.url) as one, process(stores.redis.url) as other:
        one.signals.ping()
        _until_heard(one, other)
        stores.redis_process.stop(time.monotonic() + GUARD_S)
        until("both to notice", lambda: missed.times >= 2)
        _restart(stores)
        _until_heard(one, other)


def _until_heard(one: Process, other: Process) -> None:
    other.heard.clear()

    def heard() -> bool:
        one.signals.publish("gateways", hints.Orphans())
        return bool(other.heard)

    until("a hint to get through", heard)


def _restart(stores: Stores) -> None:
    stores.redis_process.start()
    stores.redis_process.wait_ready(time.monotonic() + GUARD_S)
