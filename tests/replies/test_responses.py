"""Outcomes of responses: written in batches, kept while the store is away, held until they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.replies.responses import Responses
from gateway.replies.strays import Strays
from gateway.store.ledger.outbox import Finish
from tests.support.waiting import GUARD_S, until


class Store:
    """Takes outcomes, or is away."""

    def __init__(self) -> None:
        self.away = 0
        self.batches: list[list[Finish]] = []

    def write(self, batch: Sequence[Finish]) -> list[bool]:
        gevent.sleep(0)
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        self.batches.append(list(batch))
        return [True] * len(batch)

    def written(self) -> list[tuple[int, str]]:
        return [(finish.outbox_id, finish.fate) for batch in self.batches for finish in batch]


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    with gevent.Timeout(GUARD_S):
        yield


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def responses(store: Store) -> Iterator[Responses]:
    responses = Responses(store.write)
    writing = gevent.spawn(responses.write_forever)
    yield responses
    writing.kill()


def test_outcomes_that_come_together_are_written_together(responses: Responses, store: Store) -> None:
    for outbox_id in range(100):
        responses.note([outbox_id], "sent")
    until("all to be written", lambda: len(store.written()) == 100)
    assert len(store.batches) == 1
    assert store.written() == [(outbox_id, "sent") for outbox_id in range(100)]
    responses.note([100], "unknown", "caller_left")
    until("the next one", lambda: len(store.batches) == 2)
    assert store.batches[1] == [Finish(100, "unknown", reason="caller_left")]


def test_no_statement_carries_more_than_its_bound(responses: Responses, store: Store) -> None:
    responses.note(range(1_000), "sent")
    until("all to be written", lambda: len(store.written()) == 1_000)
    assert [len(batch) for batch in store.batches] == [256, 256, 256, 232]


def test_nothing_is_forgotten_while_the_store_is_away(responses: Responses, store: Store) -> None:
    """Law: without its outcome a row holds back its conversation for as long as this process lives."""
    store.away = 1
    responses.hold([1, 2])
    responses.note([1], "sent")
    until("the first try", lambda: store.away == 0)
    assert 1 in responses
    responses.note([2], "push")
    until("both to be written", lambda: store.written() == [(1, "sent"), (2, "push")])
    assert len(responses) == 0


def test_a_row_is_held_until_its_outcome_is_written(store: Store) -> None:
    """Law: what this process knows to be sending must never look like a claim whose answer was lost."""
    responses = Responses(store.write)
    responses.hold([1, 2])
    responses.note([1], "sent")
    assert 1 in responses
    responses.flush()
    assert 1 not in responses
    assert 2 in responses


def test_a_flush_says_that_the_store_is_away(store: Store) -> None:
    responses = Responses(store.write)
    responses.flush()
    store.away = 1
    responses.note([1], "sent")
    with pytest.raises(StoreUnavailable):
        responses.flush()
    responses.flush()
    assert store.written() == [(1, "sent")]


# Strays


class Claims:
    """Rows that the ledger says are ours, rows that we know of, and what was given back."""

    def __init__(self) -> None:
        self.owned: set[int] = set()
        self.known: set[int] = set()
        self.given_back: list[list[int]] = []
        self.looks = 0
        self.away = False
        self.strays = Strays(
            self._look, self.known.__contains__, lambda rows: self.given_back.append(list(rows)), every_s=0.01
        )

    def _look(self) -> set[int]:
        self.looks += 1
        if self.away:
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        return set(self.owned)


def test_a_row_whose_claim_was_never_heard_of_is_given_back_when_seen_twice() -> None:
    """Law: once may be a claim whose answer is still on its way."""
    claims = Claims()
    claims.owned = {1, 2, 3}
    claims.known.add(2)
    claims.strays.look()
    assert claims.given_back == []
    claims.owned.add(4)
    claims.known.add(3)
    claims.strays.look()
    assert claims.given_back == [[1]]
    claims.owned.remove(1)
    claims.strays.look()
    assert claims.given_back == [[1], [4]]


def test_a_row_that_was_gone_in_between_is_seen_anew() -> None:
    claims = Claims()
    for owned in ({1}, set(), {1}):
        claims.owned = owned
        claims.strays.look()
    assert claims.given_back == []


def test_looking_for_strays_goes_on_after_the_store_was_away() -> None:
    claims = Claims()
    claims.away = True
    claims.owned = {1}
    watching = gevent.spawn(claims.strays.watch_forever)
    until("some looks", lambda: claims.looks > 2)
    claims.away = False
    until("the stray", lambda: claims.given_back)
    watching.kill()


def test_the_end_of_what_was_taken_in_a_former_life_is_not_the_end_of_what_was_taken_since() -> None:
    """Law: an outcome names the epoch of its own taking; a row taken again meanwhile stays in our hands."""
    store = Store()
    responses = Responses(store.write)
    responses.hold([7], 3)
    responses.note([7], "unknown")
    responses.hold([7], 4)
    responses.flush()

    assert [(finish.outbox_id, finish.epoch) for [finish] in store.batches] == [(7, 3)]
    assert 7 in responses
