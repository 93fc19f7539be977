"""Pauses reach a worker: by the poll, at once after a hint; whoever cannot be asked is no reason to forget them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import gevent.event
import pytest

from gateway.domain.errors import StoreUnavailable
from tests.support.waiting import GUARD_S, until
from workers.pauses import Pauses

#: A poll that no test waits for.
NEVER_S = 1_000.0


class Ledger:
    """Says which kinds are paused, and counts how often it was asked."""

    def __init__(self) -> None:
        self.kinds: frozenset[str] = frozenset()
        self.away = False
        self.looks = 0
        self.told: list[set[str]] = []

    def read(self) -> frozenset[str]:
        self.looks += 1
        if self.away:
            raise StoreUnavailable("PostgreSQL does not answer now", reason="postgres_unavailable", retry_after_s=2)
        return self.kinds

    def tell(self, kinds: frozenset[str]) -> None:
        self.told.append(set(kinds))

    def looked_again(self) -> None:
        """Return once a look has begun and ended after this call."""
        begun = self.looks
        until("two more looks", lambda: self.looks >= begun + 2)


Start = Callable[..., Pauses]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def start(ledger: Ledger) -> Iterator[Start]:
    greenlets = []

    def started(poll_s: float = 0.01) -> Pauses:
        pauses = Pauses(ledger.read, ledger.tell, poll_s)
        greenlets.append(gevent.spawn(pauses.watch_forever))
        return pauses

    yield started
    gevent.killall(greenlets)


def test_what_is_paused_and_resumed_is_told_once(ledger: Ledger, start: Start) -> None:
    start()
    ledger.kinds = frozenset({"a", "b"})
    until("the pause", lambda: ledger.told == [{"a", "b"}])
    ledger.kinds = frozenset({"b"})
    until("the end of it", lambda: ledger.told == [{"a", "b"}, {"b"}])
    ledger.looked_again()
    assert ledger.told == [{"a", "b"}, {"b"}]


def test_nothing_is_known_before_the_first_look(ledger: Ledger, start: Start) -> None:
    """Law: a worker that comes while a kind is paused, and PostgreSQL is away, must not believe that none is."""
    ledger.away, ledger.kinds = True, frozenset({"a"})
    pauses = start()
    ledger.looked_again()
    assert not pauses.known.is_set()
    ledger.away = False
    assert pauses.known.wait(GUARD_S)
    assert ledger.told == [{"a"}], "and it is told before it is known"


def test_that_nothing_is_paused_is_known_too(ledger: Ledger, start: Start) -> None:
    assert start(NEVER_S).known.wait(GUARD_S)
    assert ledger.told == []


def test_a_hint_is_quicker_than_the_poll(ledger: Ledger, start: Start) -> None:
    pauses = start(NEVER_S)
    pauses.known.wait(GUARD_S)
    ledger.kinds = frozenset({"a"})
    pauses.look_now()
    until("the pause", lambda: ledger.told == [{"a"}])


def test_a_hint_during_a_look_is_worth_another_look(ledger: Ledger) -> None:
    """Law: what that look reads may be older than the pause that the hint is about."""
    begun, may_end = gevent.event.Event(), gevent.event.Event()

    def read() -> frozenset[str]:
        kinds = ledger.read()
        if not begun.is_set():
            begun.set()
            may_end.wait(GUARD_S)
        return kinds

    pauses = Pauses(read, ledger.tell, NEVER_S)
    watching = gevent.spawn(pauses.watch_forever)
    begun.wait(GUARD_S)
    ledger.kinds = frozenset({"a"})
    pauses.look_now()
    may_end.set()
    until("the pause", lambda: ledger.told == [{"a"}])
    watching.kill()


def test_while_the_ledger_is_away_the_last_pauses_stand(ledger: Ledger, start: Start) -> None:
    """Law: fail-open.  An outage of PostgreSQL resumes nothing that somebody stopped on purpose."""
    ledger.kinds = frozenset({"a"})
    pauses = start()
    until("the pause", lambda: ledger.told == [{"a"}])
    ledger.away = True
    ledger.looked_again()
    assert ledger.told == [{"a"}]
    assert pauses.known.is_set()
    ledger.away, ledger.kinds = False, frozenset()
    until("the end of it", lambda: ledger.told == [{"a"}, set()])
