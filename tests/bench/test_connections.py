"""Many connections: what is said of their memory and of one event to all is so."""

from __future__ import annotations

import pytest

from bench.connections import ECHO, STREAM, growth_per_connection, time_of_one_event
from tests.bench.conftest import Serving

COUNT = 400


def test_memory_of_a_connection_is_seen(serving: Serving) -> None:
    """20,000 bytes more are 20,000 bytes more."""
    with serving("honest") as lean, serving("fat") as fat:
        little = growth_per_connection(lean, ECHO, COUNT, ballast=100)
        much = growth_per_connection(fat, ECHO, COUNT, ballast=100)
    assert much - little == pytest.approx(20_000, rel=0.25)


def test_connections_are_held_while_memory_is_counted(serving: Serving) -> None:
    """A greenlet for each stream takes at least a few hundred bytes."""
    with serving("honest") as server:
        assert growth_per_connection(server, STREAM, COUNT, ballast=100) > 300


def test_an_event_is_timed_until_the_last_stream(serving: Serving) -> None:
    """Something above nothing, below the guard."""
    with serving("honest") as server:
        assert 0 < time_of_one_event(server, COUNT) < 30


def test_an_event_that_misses_one_stream_is_no_success(serving: Serving) -> None:
    """All means all."""
    with serving("deaf") as server, pytest.raises(TimeoutError, match="1 streams did not get"):
        time_of_one_event(server, 20, within_s=0.5)
