"""Callers that wait for a turn: each is told once, and whoever promised to take the reply gets its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest

from gateway.domain.reply import Reply, Text
from gateway.replies.results import Delivered, Expectation, Results
from gateway.store.ledger.results import Result
from tests.support.waiting import GUARD_S, until

TURN = 7
REPLY = Reply((Text("an answer"),))


class Ledger:
    """What another process or this one has settled, and which responses wait to be taken."""

    def __init__(self) -> None:
        self.ended: set[int] = set()
        self.responses: dict[int, list[int]] = {}
        self.looks = 0
        self.before_claim: Callable[[], None] = lambda: None

    def lookup(self, turn_ids: Sequence[int]) -> list[Result]:
        self.looks += 1
        return [Result(each, "answered", REPLY) for each in turn_ids if each in self.ended]

    def claim(self, turn_ids: Sequence[int]) -> dict[int, list[int]]:
        self.before_claim()
        return {each: self.responses.pop(each) for each in turn_ids if each in self.responses}


class Bench:
    """Results whose polls are quick, and callers with a minute of time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.now = 0.0
        self.given_up: list[int] = []
        self.results = Results(
            self.ledger.lookup, self.ledger.claim, self.given_up.extend, poll_s=0.01, clock=lambda: self.now
        )
        self.poller = gevent.spawn(self.results.poll_forever)

    def expect(self) -> Expectation:
        return self.results.expect(TURN, self.now + 60)

    def wait_look(self) -> None:
        """Return once a poll that began after this call is over."""
        seen = self.ledger.looks
        until("two more looks", lambda: self.ledger.looks >= seen + 2)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.poller.kill()


def delivered(*rows: int) -> Delivered:
    return Delivered(TURN, "answered", REPLY, outbox_ids=rows)


def wait(expectation: Expectation) -> Delivered | None:
    with gevent.Timeout(GUARD_S):
        return expectation.wait()


def test_rows_are_not_lost_to_a_poll_that_comes_second(bench: Bench) -> None:
    """The lane hands the rows over, and a poll finds the same end before the caller has run: the rows stay.

    Fails when the later result takes the earlier one's place: the rows are being sent for ever.
    """
    expectation = bench.expect()
    expectation.deliver(delivered(41))
    expectation.deliver(delivered())

    found = wait(expectation)
    assert found is not None
    assert found.outbox_ids == (41,)


def test_rows_are_not_lost_to_a_poll_that_comes_first(bench: Bench) -> None:
    """Nor when the poll saw the commit before the lane heard of it."""
    expectation = bench.expect()
    expectation.deliver(delivered())
    expectation.deliver(delivered(41))

    found = wait(expectation)
    assert found is not None
    assert found.outbox_ids == (41,)


def test_one_who_promised_waits_for_the_lane(bench: Bench) -> None:
    """A poll sees the end of the turn; the caller that promised is not told by it, or he would leave without the rows
    and the reply would be sent a second time."""
    promising, other = bench.expect(), bench.expect()
    assert bench.results.promise(TURN)
    caller = gevent.spawn(wait, promising)
    bench.ledger.ended.add(TURN)
    told = wait(other)
    bench.wait_look()

    assert told is not None
    assert told.outbox_ids == ()
    assert not caller.dead, "he waits for the lane"
    assert bench.results.deliver(delivered(41))
    found = caller.get()
    assert found is not None
    assert found.outbox_ids == (41,)


@pytest.mark.parametrize("turn_id", [TURN, None])
def test_a_promise_to_a_lost_lane_is_given_back(bench: Bench, turn_id: int | None) -> None:
    """Another process answers the turn: the caller is told by a poll, and takes the response that waits for him."""
    expectation = bench.expect()
    assert bench.results.promise(TURN)
    bench.results.release(turn_id)
    bench.ledger.responses[TURN] = [52]
    bench.ledger.ended.add(TURN)

    found = wait(expectation)
    assert found is not None
    assert found.outbox_ids == (52,)


def test_rows_taken_for_a_caller_who_left_are_given_up(bench: Bench) -> None:
    """Between the look and the claim the caller's time ran out: the reply goes the other way."""
    expectation = bench.expect()
    bench.ledger.before_claim = lambda: bench.results.forget(expectation)
    bench.ledger.responses[TURN] = [52]
    bench.ledger.ended.add(TURN)

    until("rows given up", lambda: bench.given_up == [52])
