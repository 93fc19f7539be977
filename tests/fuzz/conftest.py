"""One stack for all doors, and what every door must keep to at the end: nothing crashed, nobody was restarted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.stack import Stack, running_stack, word
from tests.support.stores import Migrated, Stores

#: Events that mean a mistake of our own.
_MISTAKES = ("crashed", "supervisor.", "batch.split", "Traceback")


@pytest.fixture(scope="package")
def _stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    # A stray conversation may be written to by many: only the door is of interest here.
    settings = {"lanes.lane_waiting_max": 10_000, "webchat.heartbeat_s": 1}
    with migrated() as url, running_stack(url, stores.redis.url, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_stack: Stack) -> Iterator[Stack]:
    """A gateway and a worker that are the same processes afterwards, have met no mistake of their own, kept nothing
    that PostgreSQL refuses, and still answer."""
    processes = [(each.name, each.pid) for each in _stack.processes]
    logged = {each.name: each.log.stat().st_size for each in _stack.processes}
    known = _refused(_stack)
    yield _stack
    said = word()
    _stack.slack.event(said, channel=said).send(_stack.port)
    _stack.ledger.wait_outbox(said, "sent")
    assert [(each.name, each.pid) for each in _stack.processes] == processes
    lines = [
        line
        for each in _stack.processes
        for line in each.log.read_bytes()[logged[each.name] :].decode(errors="replace").splitlines()
    ]
    assert [line for line in lines if any(mistake in line for mistake in _MISTAKES)] == []
    assert [letter for letter in _refused(_stack) if letter not in known] == []


def _refused(stack: Stack) -> list[dict[str, Any]]:
    """Return what our own code or PostgreSQL stumbled over."""
    return stack.ledger.rows(
        "SELECT id, kind, reason, detail, encode(body, 'escape') AS body FROM dead_letters"
        " WHERE reason IN ('crashed', 'store_refused')"
    )
