"""The order of a gateway's drain."""

from __future__ import annotations

import time
from pathlib import Path

import gevent

from gateway.app import Gateway
from gateway.conversations.subscription import Subscription
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.telemetry.metrics import Metrics

GUARD_S = 10.0
_NOWHERE = StoreSettings(
    database_url=Secret("postgresql://127.0.0.1:1/none"), redis_url=Secret("redis://127.0.0.1:1")
)


def _built(home: Path) -> tuple[Gateway, Subscription]:
    """Return a gateway with one stream, whose reader does not read."""
    gateway = Gateway(Settings(home=home, accounts={}, assistants={}, store=_NOWHERE), Metrics())
    stream = Subscription(("webchat", "shop", "visitor:main"), "shop/visitor", lambda: None)
    gateway._live.subscribe(stream)
    return gateway, stream


def test_a_page_that_does_not_read_does_not_use_up_the_lanes_time(tmp_path: Path) -> None:
    """It is told to end, waited for last, and the lanes drain from the beginning."""
    gateway, stream = _built(tmp_path)
    draining = gevent.spawn(gateway.drain, time.monotonic() + GUARD_S)
    gevent.idle()
    assert stream.ending == "draining"
    assert gateway.lanes.draining
    assert not draining.dead, "the stream has time to end as well"
    gateway._live.unsubscribe(stream)
    draining.get(timeout=GUARD_S)


def test_the_first_deadline_of_a_drain_holds(tmp_path: Path) -> None:
    """The stop that follows drains once more, and must not give again the time that is over."""
    gateway, _ = _built(tmp_path)
    gateway.drain(time.monotonic())
    started = time.monotonic()
    gateway.stop(started + GUARD_S)
    assert time.monotonic() - started < GUARD_S / 2
